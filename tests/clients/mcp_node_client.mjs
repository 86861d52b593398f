// MCP's own client for Node, unmodified, against a URL or a command; what it saw as JSON on stdout.
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(path.join(process.env.PANDORA_CLIENTS, "package.json"));
const load = (name) => import(pathToFileURL(require.resolve(`@modelcontextprotocol/sdk/${name}`)).href);
const { Client } = await load("client/index.js");

const [, , target, ...rest] = process.argv;
const errors = [];
let transport;
if (target.startsWith("http")) {
  const { StreamableHTTPClientTransport } = await load("client/streamableHttp.js");
  transport = new StreamableHTTPClientTransport(new URL(target));
} else {
  const { StdioClientTransport } = await load("client/stdio.js");
  transport = new StdioClientTransport({ command: target, args: rest, env: process.env });
}
const client = new Client({ name: "a-test", version: "1" });
let revision = null;
client.onerror = (error) => errors.push(String(error.message));
const chosen = transport.setProtocolVersion?.bind(transport);
transport.setProtocolVersion = (version) => { revision = version; chosen?.(version); };
await client.connect(transport);

const seen = { server: client.getServerVersion(), capabilities: client.getServerCapabilities(), ping: await client.ping() };
seen.tools = (await client.listTools()).tools.map((tool) => tool.name);
const saved = await client.callTool({ name: "memory_save", arguments: { content: "My dog is called Rex.", kind: "fact" } });
const id = /^Saved as memory (\S+)\.$/.exec(saved.content[0].text)[1];
const progress = [];
const options = { onprogress: (step) => progress.push(step.progress) };
seen.found = (await client.callTool({ name: "memory_search", arguments: { query: "What is my dog called?" } }, undefined, options)).content[0].text;
seen.progress = progress;
seen.resources = (await client.listResources()).resources.map((resource) => resource.uri);
seen.templates = (await client.listResourceTemplates()).resourceTemplates.map((template) => template.uriTemplate);
seen.memory = (await client.readResource({ uri: `pandora://memories/${id}` })).contents[0].text;
seen.refused = (await client.callTool({ name: "memory_search", arguments: { quary: "x" } })).isError;
const code = async (promise) => { try { await promise; return 0; } catch (error) { return error.code; } };
seen.unknown_tool = await code(client.callTool({ name: "no_such_tool", arguments: {} }));
seen.unknown_resource = await code(client.readResource({ uri: "pandora://turns/999" }));
seen.unknown_method = await code(client.request({ method: "prompts/list", params: {} }, { parse: (x) => x, safeParse: (x) => ({ success: true, data: x }) }));
seen.forgotten = (await client.callTool({ name: "memory_forget", arguments: { id } })).isError ?? false;
seen.session = transport.sessionId ?? null;
await transport.terminateSession?.();
await client.close();
seen.revision = revision;
seen.errors = errors;
console.log(JSON.stringify(seen));
