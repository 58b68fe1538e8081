// Answers rows with an ONNX file, in Node: node answer.mjs FILE.onnx FEEDS.json > ANSWERS.json
// FEEDS.json: [{"INPUT": {"type": "int64", "dims": [2, 5], "data": [...]}}, ...], a batch each.
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";

const ARRAYS = { uint8: Uint8Array, float32: Float32Array, int64: BigInt64Array };

function tensorOf({ type, dims, data }) {
  const values = type === "int64" ? data.map(BigInt) : data;
  return new ort.Tensor(type, ARRAYS[type].from(values), dims);
}

const [, , file, feeds] = process.argv;
const session = await ort.InferenceSession.create(readFileSync(file));
const answers = [];
for (const feed of JSON.parse(readFileSync(feeds, "utf8"))) {
  const inputs = Object.entries(feed).map(([name, tensor]) => [name, tensorOf(tensor)]);
  const outputs = await session.run(Object.fromEntries(inputs));
  answers.push(
    Object.fromEntries(
      Object.entries(outputs).map(([name, { dims, data }]) => [name, { dims, data: [...data] }]),
    ),
  );
}
process.stdout.write(JSON.stringify(answers));
