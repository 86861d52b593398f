"""langchain-openai, unmodified: only its base URL is changed."""
import unittest

import openai
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from served_case import CALL, USAGE, ServedCase, chunk, whole, words


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


class LangChain(ServedCase):
    def setUp(self):
        super().setUp()
        self.up = self.upstream()
        self.serve()
        self.model = ChatOpenAI(base_url=self.url + "/v1", api_key="none", model="pandora", max_retries=0, timeout=30, stream_usage=True)

    def test_chat_and_its_usage(self):
        self.up.then(whole("Peanuts."))
        answer = self.model.invoke([SystemMessage("Be brief."), HumanMessage("Which nuts should I avoid?")])
        self.assertEqual((answer.content, answer.response_metadata["finish_reason"]), ("Peanuts.", "stop"))
        self.assertEqual(answer.usage_metadata["total_tokens"], USAGE["total_tokens"])

    def test_a_stream(self):
        self.up.then(words("Pea", "nuts."))
        pieces = list(self.model.stream("Which nuts should I avoid?"))
        self.assertEqual("".join(piece.content for piece in pieces), "Peanuts.")
        self.assertEqual(sum(piece.usage_metadata["input_tokens"] for piece in pieces if piece.usage_metadata), USAGE["prompt_tokens"])

    def test_tools_there_and_back(self):
        model = self.model.bind_tools([get_weather])
        self.up.then(whole(tool_calls=[CALL]), whole("It is sunny."))
        messages = [HumanMessage("What is the weather in Lisbon?")]
        called = model.invoke(messages)
        self.assertEqual([(call["name"], call["args"]) for call in called.tool_calls], [("get_weather", {"city": "Lisbon"})])
        messages += [called, *(ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"]) for call in called.tool_calls)]
        self.assertEqual(model.invoke(messages).content, "It is sunny.")
        self.assertEqual(self.up.asked[1]["messages"][-1]["content"], "sunny in Lisbon")

    def test_tools_in_a_stream(self):
        self.up.then([chunk({"role": "assistant", "tool_calls": [{"index": 0, **CALL, "function": {"name": "get_weather", "arguments": '{"city"'}}]}),
                      chunk({"tool_calls": [{"index": 0, "function": {"arguments": ':"Lisbon"}'}}]}), chunk({}, "tool_calls")])
        whole_message = None
        for piece in self.model.bind_tools([get_weather]).stream("What is the weather in Lisbon?"):
            whole_message = piece if whole_message is None else whole_message + piece
        self.assertEqual([(call["name"], call["args"]) for call in whole_message.tool_calls], [("get_weather", {"city": "Lisbon"})])

    def test_an_answer_by_a_schema(self):
        self.up.then(whole('{"nut": "peanut"}'))
        schema = {"title": "answer", "type": "object", "properties": {"nut": {"type": "string"}}, "required": ["nut"], "additionalProperties": False}
        self.assertEqual(self.model.with_structured_output(schema, method="json_schema").invoke("Which nut?"), {"nut": "peanut"})
        self.assertEqual(self.up.asked[0]["response_format"]["type"], "json_schema")

    def test_embeddings(self):
        # Without the check of lengths, which needs a tokenizer from the web, it sends texts, as to any server that is not OpenAI's.
        embeddings = OpenAIEmbeddings(base_url=self.url + "/v1", api_key="none", model="pandora", check_embedding_ctx_length=False)
        documents, question = embeddings.embed_documents(["a cat", "a dog"]), embeddings.embed_query("a cat")
        self.assertEqual(len(documents), 2)
        self.assertEqual(len(question), len(documents[0]))

    def test_errors(self):
        self.up.then((429, b'{"error": {"message": "slowly", "type": "requests", "code": "rate_limit_exceeded"}}', {"Retry-After": "7"}))
        with self.assertRaises(openai.RateLimitError) as caught:
            self.model.invoke("Which nuts should I avoid?")
        self.assertEqual(caught.exception.response.headers["Retry-After"], "7")
        with self.assertRaises(openai.NotFoundError):
            ChatOpenAI(base_url=self.url + "/v1", api_key="none", model="none", max_retries=0).invoke("Hello.")

    def test_a_conversation_goes_on_in_its_session(self):
        self.up.then(whole("Noted."), whole("Peanuts."))
        messages = [HumanMessage("I am allergic to peanuts.")]
        messages.append(self.model.invoke(messages))
        self.model.invoke([*messages, HumanMessage("Which nuts should I avoid?")])
        turns = self.turns()
        self.assertEqual(len({turn["session"] for turn in turns}), 1, turns)
        self.assertEqual(len(turns), 2)


if __name__ == "__main__":
    unittest.main()
