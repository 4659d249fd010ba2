/** The user asked for what can't be: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
