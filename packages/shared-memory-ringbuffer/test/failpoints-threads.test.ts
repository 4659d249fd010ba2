import { testFailpoints } from "./fixtures/failpoint-scenarios.ts";
import { ANONYMOUS } from "./fixtures/peers.ts";

testFailpoints(ANONYMOUS);
