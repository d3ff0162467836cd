"""The baseline arm: plain transformers, one chain on one sample at a time, as the released searches do.

    python benchmarks/transformers_loop.py --model DIR --pairs PAIRS.jsonl --out VERDICTS.jsonl

A line of PAIRS is {"id", "prompt", "options": [...] or null, "max_new_tokens", "stop": [...], "chain"}.
With options every one is scored by the sum of its log-probabilities after the prompt (an option is
appended as it stands, so it begins with its own delimiter), one forward pass an option; without,
the answer is `model.generate`, greedy, with a cache. The layers are re-stacked for every pair:
sharing weights, each chain position with its own cache slot, so that a repeat is exact.

A line of VERDICTS is {"id", "chain", "picked", "logprobs"} or {"id", "chain", "answer", "tokens"}; with
--leads the latter also has "lead": by how many nats the closest of its tokens won.
Standard output is one line: {"pairs", "seconds", "chains_per_second", ...}. The clock starts when
the model is loaded and the first pair has been run once to warm up.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, StoppingCriteria

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "fixtures"))
import chains  # noqa: E402


class Loop:
    def __init__(self, args):
        self.tokenizer = AutoTokenizer.from_pretrained(args.model, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            args.model, dtype=getattr(torch, args.dtype), local_files_only=True
        )
        self.stack = chains.Restacked(model.to(args.device).eval())
        self.device = args.device
        self.special_tokens = not args.no_special_tokens
        self.batch_options = args.batch_options
        self.leads = args.leads

    def encode(self, text):
        return self.tokenizer(text, add_special_tokens=self.special_tokens)["input_ids"]

    def evaluate(self, pair):
        """The verdict of one (sample, chain)."""
        chain = chains.parse(pair["chain"], len(self.stack.layers))
        model = self.stack.run_as(chain)
        if pair.get("options"):
            logprobs = self.score_options(model, pair["prompt"], pair["options"])
            verdict = {"picked": logprobs.index(max(logprobs)), "logprobs": logprobs}
        else:
            verdict = self.generate(model, pair, with_cache=bool(chain))
        return {"id": pair["id"], "chain": pair["chain"], **verdict}

    def score_options(self, model, prompt, options):
        # lm-evaluation-harness's split: trailing spaces of the context belong to the continuation.
        context = self.encode(prompt.rstrip())
        if not context:
            raise ValueError("an empty prompt needs a BOS token to score options after it")
        rows = []
        for option in options:
            whole = self.encode(prompt + option)
            rows.append((context + whole[len(context) :], len(context)))
        if self.batch_options:
            return self.score_rows(model, rows)
        return [self.score_rows(model, [row])[0] for row in rows]

    def score_rows(self, model, rows):
        """Sum of log-probabilities of `ids[start:]` of every (ids, start), in one forward pass."""
        longest = max(len(ids) for ids, _ in rows)
        inputs = torch.zeros(len(rows), longest, dtype=torch.long)
        mask = torch.zeros(len(rows), longest, dtype=torch.long)
        for row, (ids, _) in enumerate(rows):
            inputs[row, : len(ids)] = torch.tensor(ids)
            mask[row, : len(ids)] = 1
        inputs, mask = inputs.to(self.device), mask.to(self.device)
        padding = {"attention_mask": mask} if len(rows) > 1 else {}
        logits = model(input_ids=inputs, use_cache=False, **padding).logits
        sums = []
        for row, (ids, start) in enumerate(rows):
            logprobs = logits[row, start - 1 : len(ids) - 1].float().log_softmax(-1)
            sums.append(logprobs.gather(1, inputs[row, start : len(ids), None]).sum().item())
        return sums

    def generate(self, model, pair, with_cache):
        inputs = torch.tensor([self.encode(pair["prompt"])], device=self.device)
        stop = pair.get("stop") or []
        prompt_length = inputs.shape[1]
        output = model.generate(
            inputs,
            attention_mask=torch.ones_like(inputs),
            max_new_tokens=pair["max_new_tokens"],
            do_sample=False,
            repetition_penalty=1.0,  # whatever generation_config.json asks for: plain greedy
            use_cache=with_cache,
            pad_token_id=self.tokenizer.eos_token_id or 0,
            stopping_criteria=[StopAt(self.tokenizer, stop, prompt_length)] if stop else None,
            return_dict_in_generate=True,
            output_logits=self.leads,
        )
        tokens = output.sequences[0, prompt_length:].tolist()
        answer = self.tokenizer.decode(tokens, skip_special_tokens=True)
        for text in stop:
            answer = answer.split(text, 1)[0]
        verdict = {"answer": answer, "tokens": tokens}
        if self.leads:
            best = torch.stack(output.logits).float().topk(2).values
            verdict["lead"] = (best[..., 0] - best[..., 1]).min().item()
        return verdict


class StopAt(StoppingCriteria):
    """Ends generation once the new text contains one of `texts`."""

    def __init__(self, tokenizer, texts, prompt_length):
        self.tokenizer, self.texts, self.prompt_length = tokenizer, texts, prompt_length

    def __call__(self, input_ids, scores, **kwargs):
        new = self.tokenizer.decode(input_ids[0, self.prompt_length :], skip_special_tokens=True)
        found = any(text in new for text in self.texts)
        return torch.full((input_ids.shape[0],), found, dtype=torch.bool, device=input_ids.device)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="directory in Hugging Face layout")
    parser.add_argument("--pairs", required=True, help="JSONL of (sample, chain) pairs")
    parser.add_argument("--out", help="JSONL of verdicts to write")
    parser.add_argument("--skip", type=int, default=0, help="leave out this many pairs first")
    parser.add_argument("--limit", type=int, help="then run only this many")
    parser.add_argument("--threads", type=int, help="torch's threads (default: torch's choice)")
    parser.add_argument("--batch-options", action="store_true", help="all options of a question in one padded batch")
    parser.add_argument("--leads", action="store_true", help="also report how close each generation was")
    parser.add_argument("--no-special-tokens", action="store_true", help="no BOS, lm-evaluation-harness's default")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    if args.threads:
        torch.set_num_threads(args.threads)
    with open(args.pairs, encoding="utf-8") as lines:
        pairs = [json.loads(line) for line in lines if line.strip()][args.skip :][: args.limit]
    loop = Loop(args)
    with torch.inference_mode():
        loop.evaluate(pairs[0])
        start = time.perf_counter()
        verdicts = [loop.evaluate(pair) for pair in pairs]
        if args.device != "cpu":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
    if args.out:
        with open(args.out, "w", encoding="utf-8") as out:
            out.writelines(json.dumps(verdict, ensure_ascii=False) + "\n" for verdict in verdicts)
    summary = {
        "pairs": len(pairs),
        "seconds": round(seconds, 3),
        "chains_per_second": round(len(pairs) / seconds, 3),
        "threads": torch.get_num_threads(),
        "dtype": args.dtype,
        "batch_options": args.batch_options,
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
