/** The part of autocannon 9 that the load generator uses; the package has no types of its own. */
declare module "autocannon" {
  import type { EventEmitter } from "node:events";

  namespace autocannon {
    interface Options {
      url: string;
      method: string;
      body: string;
      headers: Record<string, string>;
      connections: number;
      /** Seconds. */
      duration: number;
      /** Seconds until a request without answer counts as timed out. */
      timeout: number;
      /** How often it samples, milliseconds: it ends at the first sample after `duration`. */
      sampleInt: number;
    }
    interface Result {
      requests: { total: number };
      errors: number;
      timeouts: number;
      non2xx: number;
      mismatches: number;
      resets: number;
      start: Date;
      finish: Date;
    }
    interface Instance extends EventEmitter, PromiseLike<Result> {
      on(
        event: "response",
        listener: (client: unknown, statusCode: number, bytes: number, responseTimeMs: number) => void,
      ): this;
    }
  }

  function autocannon(options: autocannon.Options): autocannon.Instance;
  export = autocannon;
}
