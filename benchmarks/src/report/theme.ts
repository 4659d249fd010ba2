/**
 * Colours of page and drawings, in light and in dark, in one place.
 *
 * - Contrast of text against paper is at least 4.5:1 in both.
 */

const LIGHT = {
  paper: "#fbfaf8",
  raised: "#ffffff",
  ink: "#1d2126",
  muted: "#5c636c",
  rule: "#e2dfd9",
  "grade-a": "#14713f",
  "grade-b": "#8a5a00",
  "grade-c": "#a82c2c",
  "chart-ink": "#1d2126",
  "chart-muted": "#5c636c",
  "chart-rule": "#e2dfd9",
  "chart-band": "#ece9e2",
  "chart-socket": "#b4530a",
  "chart-shared": "#0b6e7f",
  "chart-other": "#6b7280",
} as const;

const DARK: Readonly<Record<keyof typeof LIGHT, string>> = {
  paper: "#14171a",
  raised: "#1b1f23",
  ink: "#e7e5e1",
  muted: "#a0a6ad",
  rule: "#30353b",
  "grade-a": "#63d297",
  "grade-b": "#f0b849",
  "grade-c": "#ff8a80",
  "chart-ink": "#e7e5e1",
  "chart-muted": "#a0a6ad",
  "chart-rule": "#30353b",
  "chart-band": "#272c31",
  "chart-socket": "#f5a35c",
  "chart-shared": "#58c7d8",
  "chart-other": "#9aa3ad",
};

/** Custom properties for `selector`, following the reader's preference. */
export function themeCss(selector: string): string {
  const list = (colours: Readonly<Record<string, string>>): string =>
    Object.entries(colours)
      .map(([name, value]) => `--${name}:${value}`)
      .join(";");
  return `${selector}{${list(LIGHT)}}@media (prefers-color-scheme:dark){${selector}{${list(DARK)}}}`;
}

/** A drawing that stands alone: with its own colours and background, for report.md. */
export function standaloneSvg(svg: string): string {
  const style = `<style>${themeCss(":root")}</style><rect width="100%" height="100%" fill="var(--paper)"/>`;
  return svg.replace(/(<svg[^>]*>)/, `$1${style}`);
}
