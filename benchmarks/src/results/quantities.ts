/**
 * Figures as people read them: about three significant digits, a fitting unit, never "NaN".
 *
 * - null and non-finite values become an en dash.
 * - The output holds no locale-dependent text, so that a report redrawn elsewhere is the same.
 */

export const NOTHING = "–";

/** "34×", "18.3×", "3.4×", "1.08×", "0.28×". */
export function formatTimes(ratio: number | null): string {
  if (ratio === null || !Number.isFinite(ratio)) return NOTHING;
  if (ratio >= 99.5) return `${grouped(Number(ratio.toPrecision(3)))}×`;
  if (ratio >= 19.95) return `${ratio.toFixed(0)}×`;
  if (ratio >= 1.995) return `${ratio.toFixed(1)}×`;
  if (ratio >= 0.0995) return `${ratio.toFixed(2)}×`;
  return `${Number(ratio.toPrecision(2))}×`;
}

/** Microseconds as "0.31 µs", "93 µs" or "1.2 ms". */
export function formatUs(us: number | null): string {
  if (us === null || !Number.isFinite(us)) return NOTHING;
  if (us >= 999_500) return `${significant(us / 1_000_000)} s`;
  if (us >= 999.5) return `${significant(us / 1_000)} ms`;
  return `${significant(us)} µs`;
}

/** A count or rate as "640", "12,300", "1.2 M". */
export function formatCount(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return NOTHING;
  if (value >= 999_500_000) return `${significant(value / 1e9)} G`;
  if (value >= 999_500) return `${significant(value / 1e6)} M`;
  return grouped(value >= 99.5 ? Number(Math.round(value).toPrecision(3)) : Number(significant(value)));
}

/** Bytes with binary units: "64 B", "16 KiB". */
export function formatBytes(bytes: number | null): string {
  if (bytes === null || !Number.isFinite(bytes)) return NOTHING;
  const units = ["B", "KiB", "MiB", "GiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toPrecision(3))} ${units[unit]}`;
}

/** A figure in the metric's own unit. */
export function formatQuantity(value: number | null, unit: string): string {
  if (unit === "µs") return formatUs(value);
  const text = formatCount(value);
  return unit === "" || text === NOTHING ? text : `${text} ${unit}`;
}

/** Without zeros after the point: for axes, whose figures are round. */
export function withoutTrailingZeros(text: string): string {
  return text.replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?=\D|$)/, "");
}

function significant(value: number): string {
  if (value === 0) return "0";
  if (value >= 99.5) return value.toFixed(0);
  if (value >= 9.995) return value.toFixed(1);
  if (value >= 0.995) return value.toFixed(2);
  return value < 1e-6 ? value.toExponential(1) : value.toPrecision(2);
}

function grouped(value: number): string {
  const [whole, fraction] = String(value).split(".");
  const text = (whole as string).replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? text : `${text}.${fraction}`;
}
