// The plan that was accepted on an Auto Pipeline, where a run would use it: in ASSISTED mode only for the question it answers.
import { valuesOf } from "./node_values.mjs";
import { ask } from "./speaking.mjs";

// → its review, `null` where there is none, or where what became of it (see /assisted/check) is none of `usable`
export async function acceptedOn(node, usable = ["valid"]) {
  const { values, linked } = valuesOf(node), accepted = String(values.accepted_plan ?? "").trim();
  if (!accepted) return null;
  const { state, review } = await ask("/assisted/check", { widgets: values, linked, accepted });
  return usable.includes(state) || (state === "stale" && values.mode !== "assisted") ? review : null;
}
