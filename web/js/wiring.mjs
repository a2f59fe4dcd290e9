// Links of the canvas taken up and laid anew, at the top or inside a subgraph, whose own sockets stand at its borders.
const AT_START = -10, AT_END = -20; // ids that links inside a subgraph name its borders by

// What comes in, by input name ({node, slot} or {border}), and what goes out, as {slot, target}.
export function linksOf(node) {
  const { graph } = node;
  const incoming = {};
  for (const input of node.inputs ?? []) {
    const link = linkOf(graph, input.link);
    if (link) incoming[input.name] = { name: input.name, ...origin(graph, link) };
  }
  const outgoing = (node.outputs ?? []).flatMap(({ links }, slot) =>
    (links ?? []).map((id) => linkOf(graph, id)).filter(Boolean).map((link) => ({ slot, target: goal(graph, link) })));
  return { incoming, outgoing: outgoing.filter(({ target }) => target.node) };
}

// Lay a link from {node, slot} or {border} to an input by name, or to the border of the subgraph.
export function connect(graph, source, target, name) {
  if (source.border) return source.border.connect(target.inputs[target.findInputSlot(name)], target);
  if (!target) return;
  if (target.isBorder) return target.border.connect(source.node.outputs[source.slot], source.node);
  const slot = target.findInputSlot(name);
  if (slot >= 0) source.node.connect(source.slot, target, slot);
}

function linkOf(graph, id) {
  if (id == null) return null;
  return graph.getLink?.(id) ?? graph.links?.get?.(id) ?? graph.links?.[id] ?? null;
}

function origin(graph, { origin_id, origin_slot }) {
  if (Number(origin_id) === AT_START) return { border: graph.inputs[origin_slot] };
  return { node: graph.getNodeById(origin_id), slot: origin_slot };
}

function goal(graph, { target_id, target_slot }) {
  if (Number(target_id) === AT_END) return { node: { isBorder: true, border: graph.outputs[target_slot] }, name: "" };
  const node = graph.getNodeById(target_id);
  return { node, name: node?.inputs[target_slot]?.name };
}
