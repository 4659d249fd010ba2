// biome-ignore-all lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
/**
 * Remote text made safe to show: on a terminal a control character can move the cursor, retitle the window or hide
 * what was said, and a bidirectional override can make it read as something else.
 */

// ECMA-48: control sequences (CSI), control strings (DCS, SOS, OSC, PM, APC) with what they hold, then every other
// escape. The second pass removes whatever is left of C0 and C1, so that nothing rests on the first one being complete.
const ESCAPE_SEQUENCES =
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|(?:\u001b[PX\]^_]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?/g;
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]/g;

/** `text` on one line, without control characters, escape sequences or bidirectional overrides. A tab is a space. */
export function displayText(text: string): string {
  return text.replace(ESCAPE_SEQUENCES, "").replaceAll("\t", " ").replace(CONTROL_CHARACTERS, "");
}
