// Runs an ONNX file on batches in Node: node answer.mjs FILE.onnx FEEDS.json > OUTPUTS.json
// FEEDS.json: [{"INPUT": {"type": "int64", "dims": [2, 5], "data": [...]}}, ...], one per batch.
import { readFileSync } from "node:fs";
import * as ort from "onnxruntime-web";

const ARRAYS = { uint8: Uint8Array, float32: Float32Array, int64: BigInt64Array };

function toTensor({ type, dims, data }) {
  const values = type === "int64" ? data.map(BigInt) : data;
  return new ort.Tensor(type, ARRAYS[type].from(values), dims);
}

const [, , modelPath, feedsPath] = process.argv;
const session = await ort.InferenceSession.create(readFileSync(modelPath));
const results = [];
for (const feed of JSON.parse(readFileSync(feedsPath, "utf8"))) {
  const inputs = Object.entries(feed).map(([name, tensor]) => [name, toTensor(tensor)]);
  const outputs = await session.run(Object.fromEntries(inputs));
  results.push(
    Object.fromEntries(
      Object.entries(outputs).map(([name, { dims, data }]) => [name, { dims, data: [...data] }]),
    ),
  );
}
process.stdout.write(JSON.stringify(results));
