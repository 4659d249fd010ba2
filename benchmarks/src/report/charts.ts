/**
 * The two drawings that the report uses, made by echarts on the server as SVG.
 *
 * - Forest plot: a dot and its interval for each row, the line at 1, the band in which nothing is claimed.
 * - Dot rows: several marks for each row on a common axis. No bars: on a logarithmic axis their length means nothing.
 * - Colours are CSS variables, so that one drawing is readable in light and in dark; each drawing comes wide and narrow.
 * - The same input gives the same text: echarts' running ids are replaced.
 */
import { CustomChart, ScatterChart } from "echarts/charts";
import { GridComponent, LegendComponent } from "echarts/components";
import { type EChartsCoreOption, init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { withoutTrailingZeros } from "../results/quantities.ts";
import type { Contender } from "../results/types.ts";
import type { Chart } from "./document.ts";

use([CustomChart, ScatterChart, GridComponent, LegendComponent, SVGRenderer]);

type Design = Contender["design"];

export interface ForestRow {
  readonly label: string;
  readonly ratio: number;
  /** Null: a hollow dot, no interval. */
  readonly lo: number | null;
  readonly hi: number | null;
  readonly band: number;
  readonly design: Design;
  /** What stands at the row's end. */
  readonly note: string;
}

export interface DotRow {
  readonly label: string;
  readonly design: Design;
  /** One value for each mark, null where there is none. */
  readonly values: readonly (number | null)[];
  readonly note: string;
}

export interface DotAxis {
  readonly name: string;
  readonly format: (value: number) => string;
}

/** Colours that survive echarts and are then replaced by CSS variables. */
const INK = {
  ink: "#010101",
  muted: "#020202",
  rule: "#030303",
  band: "#040404",
  socket: "#050505",
  shared: "#060606",
  other: "#070707",
} as const;
const WIDE_PX = 860;
const NARROW_PX = 350;
const FONT = "system-ui, sans-serif";
const MARKS = ["circle", "diamond", "triangle", "rect", "pin"] as const;

interface Layout {
  readonly width: number;
  readonly rowPx: number;
  readonly left: number;
  readonly right: number;
  readonly narrow: boolean;
}

const WIDE: Layout = { width: WIDE_PX, rowPx: 30, left: 240, right: 150, narrow: false };
const NARROW: Layout = { width: NARROW_PX, rowPx: 46, left: 12, right: 12, narrow: true };

export function forestChart(id: string, title: string, alt: string, rows: readonly ForestRow[]): Chart {
  const draw = (layout: Layout): string => {
    const ends = rows.flatMap((row) => [row.lo ?? row.ratio, row.hi ?? row.ratio, 1 / (1 + row.band), 1 + row.band]);
    const option = frame(layout, TOP_PX, rows, {
      min: niceBelow(Math.min(...ends)),
      max: niceAbove(Math.max(...ends)),
      name: "× against the base: worse to the left of 1, better to the right",
      format: (value) => `${Number(value.toPrecision(2))}×`,
    });
    return render(id, layout, TOP_PX, rows.length, {
      ...option,
      series: [
        {
          type: "custom",
          silent: true,
          data: rows.map((row, i) => [row.ratio, i]),
          renderItem: (_: unknown, api: CustomApi) => {
            const i = api.value(1);
            const row = rows[i] as ForestRow;
            const at = (value: number): number => api.coord([value, i])[0] as number;
            const y = api.coord([1, i])[1] as number;
            // On a phone the label stands above the dot, so line and band stay below it.
            const half = layout.narrow ? NARROW_HALF_PX : layout.rowPx / 2;
            const colour = designColour(row.design);
            const band = {
              x: at(1 / (1 + row.band)),
              y: y - half,
              width: at(1 + row.band) - at(1 / (1 + row.band)),
              height: 2 * half + 1,
            };
            const whisker = (x1: number, y1: number, x2: number, y2: number): object => ({
              type: "line",
              shape: { x1, y1, x2, y2 },
              style: { stroke: colour, lineWidth: 2 },
            });
            const interval =
              row.lo === null || row.hi === null
                ? []
                : [
                    whisker(at(row.lo), y, at(row.hi), y),
                    whisker(at(row.lo), y - 5, at(row.lo), y + 5),
                    whisker(at(row.hi), y - 5, at(row.hi), y + 5),
                  ];
            return {
              type: "group",
              children: [
                { type: "rect", shape: band, style: { fill: INK.band } },
                {
                  type: "line",
                  shape: { x1: at(1), y1: y - half, x2: at(1), y2: y + half },
                  style: { stroke: INK.muted, lineWidth: 1 },
                },
                ...interval,
                {
                  type: "circle",
                  shape: { cx: at(row.ratio), cy: y, r: 5 },
                  style: row.lo === null ? { fill: "none", stroke: colour, lineWidth: 2 } : { fill: colour },
                },
              ],
            };
          },
        },
      ],
    });
  };
  return { id, title, alt, wide: draw(WIDE), narrow: draw(NARROW) };
}

/** @param marks names of the marks, in the order of each row's values; shown as a legend when there are several */
export function dotChart(
  id: string,
  title: string,
  alt: string,
  marks: readonly string[],
  rows: readonly DotRow[],
  axis: DotAxis,
): Chart {
  const draw = (layout: Layout): string => {
    const known = rows.flatMap((row) => row.values.filter((value) => value !== null && value > 0)) as number[];
    const topPx = marks.length < 2 ? TOP_PX : LEGEND_PX;
    const option = frame(layout, topPx, rows, {
      min: niceBelow(Math.min(...known)),
      max: niceAbove(Math.max(...known)),
      name: axis.name,
      format: (value) => withoutTrailingZeros(axis.format(value)),
    });
    const connectors = {
      type: "custom",
      silent: true,
      data: rows.map((_, i) => [1, i]),
      renderItem: (_: unknown, api: CustomApi) => {
        const i = api.value(1);
        const row = rows[i] as DotRow;
        const positive = row.values.filter((value) => value !== null && value > 0) as number[];
        if (positive.length === 0) return { type: "group", children: [] };
        const [x1, y1] = api.coord([Math.min(...positive), i]) as [number, number];
        const [x2] = api.coord([Math.max(...positive), i]) as [number, number];
        const style = { stroke: designColour(row.design), lineWidth: 1.5, opacity: 0.45 };
        return { type: "line", shape: { x1, y1, x2, y2: y1 }, style };
      },
    };
    const series = marks.map((name, m) => ({
      type: "scatter",
      name,
      silent: true,
      symbol: MARKS[m % MARKS.length],
      symbolSize: m === 0 ? 11 : 9,
      itemStyle: { color: INK.muted, opacity: 1 },
      data: rows.flatMap((row, i) => {
        const value = row.values[m];
        if (value === null || value === undefined || value <= 0) return [];
        return [{ value: [value, i], itemStyle: { color: designColour(row.design), opacity: 1 } }];
      }),
    }));
    const legend =
      marks.length < 2
        ? {}
        : {
            legend: {
              top: 0,
              left: layout.left,
              itemGap: layout.narrow ? 12 : 20,
              itemWidth: 12,
              itemHeight: 10,
              selectedMode: false,
              data: [...marks],
              textStyle: { color: INK.ink, fontFamily: FONT, fontSize: 12 },
            },
          };
    return render(id, layout, topPx, rows.length, { ...option, ...legend, series: [connectors, ...series] });
  };
  return { id, title, alt, wide: draw(WIDE), narrow: draw(NARROW) };
}

interface CustomApi {
  value(dimension: number): number;
  coord(point: readonly [number, number]): readonly number[];
}

interface Scale {
  readonly min: number;
  readonly max: number;
  readonly name: string;
  readonly format: (value: number) => string;
}

const NARROW_HALF_PX = 9;
const LEGEND_PX = 34;
const TOP_PX = 10;
const BOTTOM_PX = 50;

function frame(
  layout: Layout,
  topPx: number,
  rows: readonly { label: string; note: string }[],
  scale: Scale,
): EChartsCoreOption {
  const category = rows.map((_, i) => i);
  const labelStyle = { color: INK.ink, fontFamily: FONT, fontSize: layout.narrow ? 12 : 13 };
  const hidden = { axisLine: { show: false }, axisTick: { show: false }, splitLine: { show: false } };
  const narrowText = (i: number): string => `${rows[i]?.label}  ·  ${rows[i]?.note}`;
  return {
    animation: false,
    grid: { top: topPx, bottom: BOTTOM_PX, left: layout.left, right: layout.right },
    xAxis: {
      type: "log",
      min: scale.min,
      max: scale.max,
      name: scale.name,
      nameLocation: "middle",
      nameGap: 30,
      nameTextStyle: { color: INK.muted, fontFamily: FONT, fontSize: layout.narrow ? 11 : 12 },
      axisLine: { show: true, lineStyle: { color: INK.rule } },
      axisTick: { show: true, lineStyle: { color: INK.rule } },
      axisLabel: { color: INK.muted, fontFamily: FONT, fontSize: 11, hideOverlap: true, formatter: scale.format },
      splitLine: { show: !layout.narrow, lineStyle: { color: INK.rule, width: 1 } },
      minorSplitLine: { show: false },
    },
    yAxis: [
      {
        type: "category",
        inverse: true,
        data: category,
        ...hidden,
        axisLabel: {
          ...labelStyle,
          interval: 0,
          formatter: (value: string) =>
            layout.narrow ? narrowText(Number(value)) : (rows[Number(value)]?.label ?? ""),
          ...(layout.narrow
            ? { inside: true, margin: 0, verticalAlign: "bottom", padding: [0, 0, 9, 0] }
            : { margin: 14, align: "right" }),
        },
        z: 10,
      },
      ...(layout.narrow
        ? []
        : [
            {
              type: "category",
              inverse: true,
              position: "right",
              data: category,
              ...hidden,
              axisLabel: {
                ...labelStyle,
                interval: 0,
                margin: 14,
                formatter: (value: string) => rows[Number(value)]?.note ?? "",
              },
            },
          ]),
    ],
  };
}

function render(id: string, layout: Layout, topPx: number, rowCount: number, option: EChartsCoreOption): string {
  const height = topPx + BOTTOM_PX + rowCount * layout.rowPx;
  const chart = init(null, null, { renderer: "svg", ssr: true, width: layout.width, height });
  try {
    chart.setOption(option);
    return withVariables(chart.renderToSVGString(), `${id}-${layout.narrow ? "n" : "w"}`);
  } finally {
    chart.dispose();
  }
}

/** Colours become CSS variables and running ids stable ones; the size becomes a proportion. */
function withVariables(svg: string, prefix: string): string {
  // What echarts adds for a script that revives the drawing is of no use here, and its class names count across drawings.
  let result = svg
    .replace(/ (?:ecmeta_\w+|class)="[^"]*"/g, "")
    .replace(/<style\s*>[\s\S]*?<\/style>/g, "")
    .replace(/zr\d+-/g, `${prefix}-`);
  for (const [name, hex] of Object.entries(INK)) {
    const channel = Number.parseInt(hex.slice(1, 3), 16);
    result = result
      .replaceAll(hex, `var(--chart-${name})`)
      .replaceAll(`rgb(${channel},${channel},${channel})`, `var(--chart-${name})`);
  }
  return result;
}

function designColour(design: Design): string {
  if (design === "socket") return INK.socket;
  return design === "shared-memory" ? INK.shared : INK.other;
}

/** The nearest 1, 2 or 5 times a power of ten at or below the value. */
function niceBelow(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([5, 2, 1].find((step) => step * power <= value * 0.97) ?? 0.5);
}

function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 5, 10].find((step) => step * power >= value * 1.03) ?? 20);
}
