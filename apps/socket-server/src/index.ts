export type { ListenAddress } from "./listen-address.ts";
export type { Login, LoginStore } from "./login.ts";
export { type RunningServer, type ServerLogger, type ServerOptions, startServer } from "./server.ts";
export { TokenFile } from "./token-file.ts";
