/** `shm ls`: all segments of this machine, broken ones included. */
import { listSegments, type SegmentListing } from "../segment-files.ts";
import { segmentDirectory } from "../segment-name.ts";
import { type Action, EXIT_FINE } from "./context.ts";
import { bytesText, type Cell } from "./output.ts";

export const MICROSECONDS_A_MILLISECOND = 1000;

/** How a segment stands: `abandoned` has dead participants only, `kept` none at all. */
export function standing(listing: SegmentListing): "in use" | "abandoned" | "kept" | "unusable" {
  if (listing.participants === undefined) return "unusable";
  if (listing.participants.some(({ alive }) => alive)) return "in use";
  return listing.participants.length > 0 ? "abandoned" : "kept";
}

/** Time of creation, which a segment's epoch is. */
export function createdText(epoch: number): string {
  return new Date(epoch / MICROSECONDS_A_MILLISECOND).toISOString();
}

export const ls: Action = ({ output, directory }) => {
  const listings = listSegments(directory).sort((one, other) => (one.name < other.name ? -1 : 1));
  output.value(listings.map((listing) => ({ ...listing, standing: standing(listing) })));
  if (listings.length === 0) {
    output.line(`no segments in ${segmentDirectory(directory)}`);
    return EXIT_FINE;
  }
  output.table(
    ["NAME", "SIZE", "ALIVE", "DEAD", "CREATED", "STATE"],
    listings.map((listing): Cell[] => {
      const { participants = [], epoch } = listing;
      const alive = participants.filter((each) => each.alive).length;
      const state = standing(listing);
      return [
        listing.name,
        bytesText(listing.sizeBytes),
        alive,
        participants.length - alive,
        epoch === undefined ? "-" : createdText(epoch),
        listing.problem === undefined
          ? { text: state, style: state === "in use" ? "green" : "yellow" }
          : { text: `unusable: ${listing.problem}`, style: "red" },
      ];
    }),
  );
  return EXIT_FINE;
};
