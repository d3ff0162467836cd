// Generates with llama.cpp, through node-llama-cpp on the CPU, for compare.py.
//
//     node llama_cpp.mjs PACKAGE MODEL.gguf PROMPTS OUT THREADS SEQUENCES
//
// PACKAGE is the folder of node-llama-cpp. PROMPTS has a line {"id", "tokens", "max_new_tokens", "stop"} a prompt.
// Every prompt begins in an empty sequence and goes on greedily, up to max_new_tokens, to an end-of-generation
// token or until the text contains a stop string. SEQUENCES of them run at once, in common batches. OUT gets a line
// {"id", "answer", "generated"} a prompt, in their order; standard output a line {"seconds"}, of the evaluation
// alone. The first prompt has been run once before the clock starts.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [packageFolder, modelPath, promptsPath, outPath, threadsText, sequencesText] = process.argv.slice(2);
const threads = Number(threadsText);
const sequences = Number(sequencesText);
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(join(packageFolder, "dist/index.js")));

const prompts = readFileSync(promptsPath, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));
const longest = Math.max(...prompts.map((prompt) => prompt.tokens.length + prompt.max_new_tokens));

const llama = await getLlama({ gpu: false, build: "never", maxThreads: threads, logLevel: LlamaLogLevel.error });
const model = await llama.loadModel({ modelPath });
const context = await model.createContext({
    contextSize: longest + 8,
    sequences,
    batchSize: Math.max(512, sequences),
    threads: { ideal: threads, min: threads },
    batching: { dispatchSchedule: wholeBatches },
});

// Sequences that wait for their next token. A batch starts when all that run do: the package's own schedule starts it
// with those that happen to be there.
let running = 0;
let waiting = 0;
let dispatch = null;

function wholeBatches(start) {
    dispatch = start;
    startIfAllWait();
}

function startIfAllWait() {
    setImmediate(() => {
        if (dispatch === null || waiting < running) return;
        const start = dispatch;
        dispatch = null;
        start();
    });
}

async function generate(sequence, { id, tokens, max_new_tokens: most, stop }) {
    await sequence.clearHistory();
    const generated = [];
    let answer = "";
    const next = sequence.evaluate(tokens, { temperature: 0 });
    while (generated.length < most) {
        waiting += 1;
        startIfAllWait();
        const { value, done } = await next.next();
        waiting -= 1;
        if (done) break;
        generated.push(value);
        answer = model.detokenize(generated);
        const ends = stop.map((text) => answer.indexOf(text)).filter((at) => at >= 0);
        if (ends.length > 0) {
            answer = answer.slice(0, Math.min(...ends));
            break;
        }
    }
    await next.return();
    return { id, answer, generated: generated.length };
}

async function evaluate(queue) {
    const answers = new Array(queue.length);
    let at = 0;
    const take = async (sequence) => {
        running += 1;
        while (at < queue.length) {
            const mine = at++;
            answers[mine] = await generate(sequence, queue[mine]);
        }
        running -= 1;
        startIfAllWait();
    };
    await Promise.all(all.map(take));
    return answers;
}

const all = Array.from({ length: sequences }, () => context.getSequence());
await evaluate(prompts.slice(0, 1));
const start = performance.now();
const answers = await evaluate(prompts);
const seconds = (performance.now() - start) / 1000;
writeFileSync(outPath, answers.map((answer) => JSON.stringify(answer) + "\n").join(""));
console.log(JSON.stringify({ seconds }));
process.exit(0);
