import { describeRoomLog } from "@parley/chat-room/conformance";
import { describe } from "vitest";
import { openSharedMemoryRoomLog, type SharedMemoryRoomLog } from "../src/index.ts";
import { createSegmentName } from "./segment-names.ts";

/** Forgets long before 3000 events of some 100 bytes. */
const SMALL_CAPACITY_BYTES = 64 * 1024;

describe.each([
  { overlay: false, mapping: "koffi-view" },
  { overlay: true, mapping: "shared-array-buffer" },
])("a segment mapped as $mapping", ({ overlay, mapping }) => {
  describeRoomLog(`shared memory, ${mapping}`, {
    create: async ({ small }) => {
      const name = createSegmentName();
      const options = small ? { overlay, capacityBytes: SMALL_CAPACITY_BYTES } : { overlay };
      return { open: async (): Promise<SharedMemoryRoomLog> => openSharedMemoryRoomLog(name, options) };
    },
  });
});
