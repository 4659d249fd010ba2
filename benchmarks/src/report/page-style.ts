/** The page's style sheet: system fonts, one column of text, tables that scroll on their own on a phone. */
import { themeCss } from "./theme.ts";

export const PAGE_CSS: string = `
:root{color-scheme:light dark}
${themeCss(":root")}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.6 system-ui,-apple-system,"Segoe UI",sans-serif;-webkit-text-size-adjust:100%}
.page{max-width:1020px;margin:0 auto;padding:56px 32px 96px}
h1{font-size:clamp(1.9rem,5vw,2.7rem);line-height:1.12;letter-spacing:-.022em;margin:0 0 12px;font-weight:680}
h2{font-size:1.4rem;line-height:1.3;letter-spacing:-.012em;margin:72px 0 14px;font-weight:640;scroll-margin-top:16px}
h3{font-size:1.02rem;line-height:1.4;margin:0 0 2px;font-weight:620}
p{margin:0 0 14px;max-width:70ch}
a{color:var(--chart-shared);text-underline-offset:3px}
.subtitle{color:var(--muted);margin:0 0 20px}
.badge{display:inline-flex;gap:12px;align-items:center;border:1px solid var(--rule);border-radius:999px;background:var(--raised);padding:5px 18px 5px 6px;font-size:.92rem;line-height:1.35}
.badge b{display:grid;place-items:center;flex:none;width:30px;height:30px;border-radius:50%;color:var(--paper);font-size:.95rem}
.grade-A b{background:var(--grade-a)}.grade-B b{background:var(--grade-b)}.grade-C b{background:var(--grade-c)}
.warning{border:1px solid var(--grade-c);border-left-width:5px;border-radius:8px;padding:10px 16px;margin:0 0 16px;background:var(--raised);max-width:none}
.answer{list-style:none;counter-reset:answer;margin:30px 0 0;padding:0;display:grid;gap:14px}
.answer li{counter-increment:answer;position:relative;background:var(--raised);border:1px solid var(--rule);border-radius:12px;padding:18px 22px 18px 58px}
.answer li::before{content:counter(answer);position:absolute;left:22px;top:18px;color:var(--muted);font-weight:640;font-variant-numeric:tabular-nums}
.answer li:first-child{font-size:1.13rem;line-height:1.55}
nav{margin:26px 0 0;font-size:.92rem;display:flex;flex-wrap:wrap;gap:4px 18px;color:var(--muted)}
nav a{color:inherit}
figure{margin:26px 0 8px}
figcaption{font-weight:600;font-size:.95rem;line-height:1.4;margin-bottom:8px}
figure svg{display:block;width:100%;height:auto}
.narrow{display:none}
.note{color:var(--muted);font-size:.88rem;margin-bottom:22px}
.table{margin:16px 0 26px;border:1px solid var(--rule);border-radius:10px;background:var(--raised)}
.scroll{overflow-x:auto}
.caption{padding:12px 16px 8px;font-weight:600;font-size:.92rem;line-height:1.4}
table{border-collapse:collapse;width:100%;font-size:.89rem;line-height:1.45}
th,td{padding:8px 12px;text-align:left;vertical-align:top;border-top:1px solid var(--rule)}
th{color:var(--muted);font-weight:540;font-size:.82rem;white-space:nowrap;vertical-align:bottom}
thead tr:first-child th:empty{display:none}
.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
th:first-child,td:first-child{padding-left:16px}
th:last-child,td:last-child{padding-right:16px}
td:first-child{font-weight:540}
.table:not(.long) td:first-child{min-width:208px}
.long td{min-width:150px}
.long td:last-child{min-width:120px}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.86em}
pre{background:var(--raised);border:1px solid var(--rule);border-radius:8px;padding:12px 16px;margin:0 0 18px;white-space:pre-wrap;overflow-wrap:anywhere}
.card{border:1px solid var(--rule);border-radius:12px;background:var(--raised);padding:20px 22px 8px;margin:0 0 16px}
.card .question{color:var(--muted);margin-bottom:8px}
.card .table,.card pre{background:var(--paper)}
details{margin:0 0 12px}
summary{cursor:pointer;color:var(--muted);font-size:.92rem;padding:4px 0}
ul{margin:0 0 18px;padding-left:22px;max-width:70ch}li{margin:3px 0}
footer{margin-top:72px;color:var(--muted);font-size:.86rem;border-top:1px solid var(--rule);padding-top:18px}
@media (max-width:640px){
.page{padding:32px 18px 64px}
h2{margin-top:54px}
.wide{display:none}.narrow{display:block}
.answer li{padding:16px 18px 16px 44px}.answer li::before{left:18px;top:16px}
th,td{padding:7px 12px}
.table{margin-left:-6px;margin-right:-6px}
.badge{border-radius:22px}
.card{padding:16px 16px 6px}
.table:not(.long) td:first-child{min-width:136px}
.long table,.long tbody,.long tr,.long td{display:block;width:100%}
.long thead{display:none}
.long tr{border-top:1px solid var(--rule);padding:10px 14px}
.long td{border:0;padding:2px 0;min-width:0;text-align:left;white-space:normal}
.long td:not(:first-child):not([data-label=""])::before{content:attr(data-label) ": ";color:var(--muted);font-weight:400}
}
@media print{.page{max-width:none;padding:0}details>*{display:block}}
`;
