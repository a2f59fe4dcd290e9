// Where the nodes of an unfolded plan stand: columns from left to right, a frame around each group, nothing on top of
// anything; what stood to the right of the node they replace makes room.
const GAP_X = 60, GAP_Y = 50, TITLE = 30, FRAME = 20, FRAME_TITLE = 40; // pixels of the canvas
const WIDTH = 320, TEXT_HEIGHT = 160;
const ROOM = 100; // between the block and what stands beside it

export function place(node, laid, made) {
  const columns = byColumn(laid, made);
  const sizes = columns.map((column) => Math.max(...column.map(({ width }) => width)));
  const width = sizes.reduce((sum, each) => sum + each + GAP_X, -GAP_X) + groupsRoom(laid);
  const height = Math.max(...columns.map((column) => column.reduce((sum, each) => sum + each.height + TITLE + GAP_Y, 0)));
  const [left, top] = corner(node, width, height, new Set(made.values()));
  let x = left, group = null;
  columns.forEach((column, at) => {
    if (group !== null && column[0].group !== group) x += 2 * FRAME;
    ({ group } = column[0]);
    let y = top;
    for (const each of column) {
      each.node.pos = [x, y];
      y += each.height + TITLE + GAP_Y;
    }
    x += sizes[at] + GAP_X;
  });
  for (const each of laid.groups) frame(node.graph, each, made);
}

function groupsRoom({ groups }) {
  return 2 * FRAME * groups.length;
}

function byColumn({ nodes }, made) {
  const columns = [];
  const least = Math.min(...nodes.map(({ column }) => column)); // texts that others take stand before the first
  for (const { id, column, group = "" } of nodes) (columns[column - least] ??= []).push({ group, ...sized(made.get(id)) });
  return columns;
}

function sized(node) {
  const isText = (node.widgets ?? []).some(({ options, type, name }) => options?.multiline || type === "customtext" || name === "text");
  const [width, height] = node.computeSize();
  node.setSize([Math.max(width, WIDTH), isText ? Math.max(height, TEXT_HEIGHT) : height]);
  return { node, width: node.size[0], height: node.size[1] };
}

// The upper left corner of the block: where the node stood, what is right of it moved on; below everything where other
// nodes would still be covered.
function corner(node, width, height, made) {
  const [x, y] = node.pos;
  const others = node.graph.nodes.filter((each) => each !== node && !made.has(each));
  const edge = x + node.size[0], move = width + ROOM - node.size[0];
  const right = others.filter((each) => each.pos[0] >= edge - 1);
  const block = { left: x - FRAME, top: y - TITLE - FRAME_TITLE, right: x + width + FRAME, bottom: y + height };
  if (others.some((each) => !right.includes(each) && touches(each, block))) {
    return [x, Math.max(y + node.size[1], ...others.map((each) => each.pos[1] + each.size[1])) + ROOM];
  }
  if (move > 0) for (const each of [...right, ...framesRightOf(node.graph, edge)]) each.pos = [each.pos[0] + move, each.pos[1]];
  return [x, y];
}

function framesRightOf(graph, edge) {
  return (graph.groups ?? graph._groups ?? []).filter((group) => group.pos[0] >= edge - 1);
}

function touches({ pos, size }, block) {
  return pos[0] < block.right && pos[0] + size[0] > block.left && pos[1] - TITLE < block.bottom && pos[1] + size[1] > block.top;
}

function frame(graph, { title, nodes }, made) {
  const group = new window.LiteGraph.LGraphGroup(title);
  const held = nodes.map((id) => made.get(id));
  const left = Math.min(...held.map(({ pos }) => pos[0])), top = Math.min(...held.map(({ pos }) => pos[1])) - TITLE;
  const right = Math.max(...held.map(({ pos, size }) => pos[0] + size[0])), bottom = Math.max(...held.map(({ pos, size }) => pos[1] + size[1]));
  group.pos = [left - FRAME, top - FRAME_TITLE];
  group.size = [right - left + 2 * FRAME, bottom - top + FRAME_TITLE + FRAME];
  graph.add(group);
}
