/** Where a server listens, as people write it: `127.0.0.1:8080`, `[::1]:8080`, `:8080` (everywhere), `unix:/run/parley.sock`. */

export type ListenAddress =
  | { readonly host: string; readonly port: number; readonly path?: undefined }
  /** A Unix socket. */
  | { readonly path: string; readonly host?: undefined; readonly port?: undefined };

export const MAX_PORT = 65_535;
/** sockaddr_un has 108 bytes on Linux, its last one a NUL. */
const MAX_PATH_BYTES = 107;
const HOST_AND_PORT = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/;
const EVERYWHERE = "::";
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|::1|::ffff:127(?:\.\d{1,3}){3})$/i;

/** Undefined: not an address. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    return path === "" || Buffer.byteLength(path) > MAX_PATH_BYTES ? undefined : { path };
  }
  const match = HOST_AND_PORT.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  const host = match[1] ?? match[2] ?? "";
  return port > MAX_PORT ? undefined : { host: host === "" ? EVERYWHERE : host, port };
}

export function formatListenAddress(address: ListenAddress): string {
  if (address.path !== undefined) return `unix:${address.path}`;
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** True: nobody on another machine can connect to it. */
export function isLocal(address: ListenAddress): boolean {
  return address.path !== undefined || LOOPBACK.test(address.host);
}
