/** Names of segments that no other test, run or person has. */

import { randomUUID } from "node:crypto";

export function createSegmentName(): string {
  return `test-${process.pid}-${randomUUID()}`;
}
