/** TLS for tests: one self-signed certificate a file of tests, and sockets that don't verify it. */

import { once } from "node:events";
import { connect, type SecureContext, type TLSSocket } from "node:tls";
import { selfSignedCertificate } from "../src/tls.ts";

const certificate = await selfSignedCertificate();

export const secureContext = (): SecureContext => certificate.context;

export async function openTls(port: number): Promise<TLSSocket> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  socket.setNoDelay(true);
  await once(socket, "secureConnect");
  return socket;
}
