// A real language model behind OpenAI's wire, for tests: SmolLM2-135M on llama.cpp, one request at a time, one thread (two
// that spin on a busy machine are slower than one). Prints its port. language_model_server.mjs MODULES MODEL.gguf [PORT]
import http from "node:http";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [modules, modelPath, port] = process.argv.slice(2);
const entry = path.join(modules, "node-llama-cpp/dist/index.js");
const { getLlama, LlamaChatSession } = await import(pathToFileURL(entry).href);

const NAME = "smollm2-135m-instruct";
const llama = await getLlama({ gpu: false, build: "never", maxThreads: 1, logLevel: "error", progressLogs: false });
const model = await llama.loadModel({ modelPath });
const context = await model.createContext({ contextSize: 4096, threads: 1 });
const sequence = context.getSequence();
const asked = []; // what it was asked, for GET /asked

const textOf = (content) => (typeof content === "string" ? content : (content ?? []).map((part) => part.text ?? "").join("\n"));

function history(messages) {
  return messages.map((message) => {
    if (message.role === "system" || message.role === "developer") return { type: "system", text: textOf(message.content) };
    if (message.role === "assistant") return { type: "model", response: [textOf(message.content) || JSON.stringify(message.tool_calls ?? "")] };
    return { type: "user", text: (message.role === "tool" ? "The tool says: " : "") + textOf(message.content) };
  });
}

async function complete(request, onText) {
  const said = history(request.messages);
  const question = said.pop().text;
  await sequence.clearHistory();
  const session = new LlamaChatSession({ contextSequence: sequence, autoDisposeSequence: false });
  session.setChatHistory(said);
  const forced = typeof request.tool_choice === "object" && request.tools.find((tool) => tool.function.name === request.tool_choice.function.name);
  const limits = { maxTokens: request.max_tokens ?? request.max_completion_tokens ?? 32, temperature: request.temperature ?? 0, seed: request.seed ?? 1 };
  const grammar = forced ? await llama.createGrammarForJsonSchema(forced.function.parameters) : undefined;
  const answer = await session.prompt(question, { ...limits, grammar, onTextChunk: forced ? undefined : onText });
  const prompt = model.tokenize(request.messages.map((message) => textOf(message.content)).join("\n")).length;
  const completion = model.tokenize(answer).length;
  const usage = { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
  if (!forced) return { message: { role: "assistant", content: answer }, finish: "stop", usage };
  const call = { id: "call-1", type: "function", function: { name: forced.function.name, arguments: answer } };
  return { message: { role: "assistant", content: null, tool_calls: [call] }, finish: "tool_calls", usage };
}

async function chat(request, response) {
  const frame = { id: `chatcmpl-${asked.length}`, created: Math.floor(Date.now() / 1000), model: NAME };
  if (!request.stream) {
    const done = await complete(request);
    response.setHeader("Content-Type", "application/json");
    return response.end(JSON.stringify({ ...frame, object: "chat.completion", choices: [{ index: 0, message: done.message, finish_reason: done.finish }], usage: done.usage }));
  }
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  const send = (choices, more) => response.write(`data: ${JSON.stringify({ ...frame, object: "chat.completion.chunk", choices, ...more })}\n\n`);
  const delta = (part, finish = null) => send([{ index: 0, delta: part, finish_reason: finish }]);
  delta({ role: "assistant", content: "" });
  const done = await complete(request, (text) => delta({ content: text }));
  if (done.message.tool_calls) delta({ tool_calls: done.message.tool_calls.map((call, index) => ({ index, ...call })) });
  delta({}, done.finish);
  if (request.stream_options?.include_usage) send([], { usage: done.usage });
  response.end("data: [DONE]\n\n");
}

let last = Promise.resolve();
const server = http.createServer((incoming, response) => {
  if (incoming.method === "GET") {
    response.setHeader("Content-Type", "application/json");
    return response.end(JSON.stringify(incoming.url === "/asked" ? asked : { object: "list", data: [{ id: NAME, object: "model" }] }));
  }
  let body = "";
  incoming.on("data", (bytes) => (body += bytes));
  incoming.on("end", () => {
    const request = JSON.parse(body);
    asked.push(request);
    last = last.then(() => chat(request, response)).catch((error) => {
      if (!response.headersSent) response.writeHead(500, { "Content-Type": "application/json" });
      response.end(JSON.stringify({ error: { message: String(error), type: "server_error", code: null } }));
    });
  });
});
server.listen(Number(port ?? 0), "127.0.0.1", () => console.log(server.address().port));
