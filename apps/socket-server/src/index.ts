export { type RunningServer, type ServerLogger, type ServerOptions, startServer } from "./server.ts";
