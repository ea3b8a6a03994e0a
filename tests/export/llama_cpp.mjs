// GGUF files asked in llama.cpp on the processor, greedily: `node llama_cpp.mjs JOB ANSWER`, beside node_modules with node-llama-cpp.
// JOB: {"count": tokens at most, "context": tokens, "files": {name: {"path", "prompts": [[token, ...]], "texts": [text], "questions": [text]}}}.
// ANSWER: of each file the tokens that follow the prompts, past any end (llama.cpp takes tokens for one by their names alone), the tokens of
// the texts, and answers to the questions by the file's own template, up to their end.
import fs from "node:fs";
import {Template} from "@huggingface/jinja";
import {getLlama} from "node-llama-cpp";

const job = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const llama = await getLlama({gpu: false, maxThreads: 1, build: "never", skipDownload: true, logLevel: "error", progressLogs: false});

async function greedy(sequence, prompt, ends) {
  await sequence.clearHistory();
  const answer = [];
  for await (const token of sequence.evaluate(prompt, {temperature: 0, yieldEogToken: true})) {
    answer.push(token);
    if (answer.length >= job.count || ends(token)) break;
  }
  return answer;
}

function asked(model, question) {
  const words = {bos_token: model.tokens.bosString ?? "", eos_token: model.tokens.eosString ?? ""};
  const template = new Template(model.fileInfo.metadata.tokenizer.chat_template);
  return model.tokenize(template.render({messages: [{role: "user", content: question}], add_generation_prompt: true, ...words}), true);
}

async function look({path, prompts = [], texts = [], questions = []}) {
  const model = await llama.loadModel({modelPath: path, gpuLayers: 0, useMmap: false});
  const context = await model.createContext({contextSize: job.context, flashAttention: false, threads: 1});
  const sequence = context.getSequence();
  const found = {answers: [], said: [], read: texts.map((text) => model.tokenize(text, true))};
  for (const prompt of prompts) found.answers.push(await greedy(sequence, prompt, () => false));
  for (const question of questions) {
    const answer = await greedy(sequence, asked(model, question), (token) => model.isEogToken(token));
    found.said.push(model.detokenize(answer.filter((token) => !model.isEogToken(token))).trim());
  }
  await context.dispose();
  await model.dispose();
  return found;
}

const found = {};
for (const [name, file] of Object.entries(job.files)) {
  found[name] = await look(file).catch((error) => ({fault: String(error).slice(0, 300)}));
}
fs.writeFileSync(process.argv[3], JSON.stringify(found));
process.exit(0);
