/** What the settings name and that is read from disk: certificate and tokens. `reload` reads both again. */

import type { SecureContext } from "node:tls";
import type { LoginStore } from "./login.ts";
import type { Settings } from "./settings.ts";
import { certificateFromFiles, type ServerCertificate, selfSignedCertificate } from "./tls.ts";
import { TokenFile } from "./token-file.ts";

export interface Resources {
  readonly secureContext: () => SecureContext | undefined;
  /** Of a self-signed certificate. */
  readonly fingerprint: string | undefined;
  readonly loginStore: LoginStore | undefined;
  /** Throws what is wrong, and then nothing has changed. */
  reload(): void;
}

/** Rejects with an Error that names the file. */
export async function readResources({ tlsCert, tlsKey, tlsSelfSigned, tokenFile }: Settings): Promise<Resources> {
  const fromFiles = (): ServerCertificate | undefined =>
    tlsCert === undefined || tlsKey === undefined
      ? undefined
      : certificateFromFiles({ certPath: tlsCert, keyPath: tlsKey });
  let certificate = tlsSelfSigned ? await selfSignedCertificate() : fromFiles();
  const tokens = tokenFile === undefined ? undefined : new TokenFile(tokenFile);
  return {
    secureContext: () => certificate?.context,
    fingerprint: certificate?.fingerprint,
    loginStore: tokens,
    reload() {
      const renewed = fromFiles();
      tokens?.reload();
      certificate = renewed ?? certificate;
    },
  };
}
