// One scenario of OpenAI's client for Node, by its name; what came of it as JSON on stdout. Only its base URL is changed.
const OpenAI = require("openai");

const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: "none", maxRetries: 0, timeout: 30000 });
const question = [{ role: "user", content: "Which nuts should I avoid?" }];
const chat = (more) => client.chat.completions.create({ model: "pandora", messages: question, ...more });

const scenarios = {
  async chat() {
    return chat();
  },
  async stream() {
    const chunks = [];
    for await (const chunk of await chat({ stream: true, stream_options: { include_usage: true } })) chunks.push(chunk);
    return chunks;
  },
  async streaming_helper() {
    const runner = client.chat.completions.stream({ model: "pandora", messages: question });
    return (await runner.finalChatCompletion()).choices[0].message;
  },
  async tools(tool) {
    const messages = [{ role: "user", content: "What is the weather in Lisbon?" }];
    const first = (await chat({ messages, tools: [tool] })).choices[0];
    const call = first.message.tool_calls[0];
    messages.push(first.message, { role: "tool", tool_call_id: call.id, content: "sunny" });
    const second = (await chat({ messages, tools: [tool] })).choices[0];
    return { finish: first.finish_reason, call, answer: second.message.content };
  },
  async tool_runner(tool) {
    const asked = [];
    const runner = client.chat.completions.runTools({
      model: "pandora", stream: true, messages: [{ role: "user", content: "What is the weather in Lisbon?" }],
      tools: [{ type: "function", function: { ...tool.function, parse: JSON.parse, function: (given) => (asked.push(given), "sunny") } }],
    });
    return { answer: await runner.finalContent(), asked };
  },
  async embeddings() {
    const input = ["a cat", "a dog"];
    const packed = await client.embeddings.create({ model: "pandora", input }); // the client asks for base64 by itself
    const plain = await client.embeddings.create({ model: "pandora", input, encoding_format: "float" });
    return { packed: packed.data.map((one) => Array.from(one.embedding)), plain: plain.data.map((one) => one.embedding) };
  },
  async models() {
    const names = [];
    for await (const model of client.models.list()) names.push(model.id);
    return { names, one: (await client.models.retrieve("pandora")).id };
  },
  async error(more) {
    try {
      return { answered: await chat(more) };
    } catch (error) {
      return { name: error.constructor.name, status: error.status, code: error.code, type: error.type,
               retry_after: error.headers && error.headers.get("retry-after"), message: error.message };
    }
  },
  async broken_stream() {
    try {
      for await (const chunk of await chat({ stream: true })) void chunk;
      return { ended: true };
    } catch (error) {
      return { name: error.constructor.name, isApiError: error instanceof OpenAI.APIError };
    }
  },
  async leaves() {
    const stream = await chat({ stream: true });
    for await (const chunk of stream) if (chunk.choices[0]?.delta?.content) break; // aborts the request
    return {};
  },
};

const [name, argument] = process.argv.slice(2);
scenarios[name](argument && JSON.parse(argument)).then((result) => console.log(JSON.stringify(result)));
