"""What `cola` is compared with: chains evaluated with plain transformers.

`Loop` is what the released searches do: one chain on one sample at a time. `Grouped` puts the samples that run
the identical chain into padded batches. Both re-stack the layers for every chain, sharing weights, each chain
position with its own cache slot, so that a repeat is exact. Generation ends at the end-of-sequence token, and
once the new text contains a stop string.

A pair is {"id", "prompt", "options": [...] or null, "max_new_tokens", "stop": [...], "chain"}; the prompt is the text
that the model reads, special tokens included. With options every one is scored by the sum of its log-probabilities
after the prompt (an option is appended as it stands, so it begins with its own delimiter); without, the answer is
`model.generate`, greedy, with a cache. A verdict is {"id", "chain", "picked", "logprobs"} or {"id", "chain", "answer"}.
"""

import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, StoppingCriteria

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "fixtures"))
import chains  # noqa: E402


# Tokens that end a text.
ENDS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<end_of_turn>", "</s>")


class Loop:
    """Every pair on its own: one forward pass an option, or one `generate`."""

    def __init__(self, model, device="cpu", dtype="float32"):
        """`model` is a directory, or a GGUF file, whose weights are dequantised."""
        model = Path(model)
        place = {"pretrained_model_name_or_path": model, "local_files_only": True}
        if model.suffix == ".gguf":
            place |= {"pretrained_model_name_or_path": model.parent, "gguf_file": model.name}
        self.tokenizer = AutoTokenizer.from_pretrained(**place)
        loaded = AutoModelForCausalLM.from_pretrained(**place, dtype=getattr(torch, dtype))
        self.stack = chains.Restacked(loaded.to(device).eval())
        if model.suffix == ".gguf":
            # A GGUF names one end; llama.cpp and `cola` know the others by their texts.
            known = self.tokenizer.get_vocab()
            ends = {known[text] for text in ENDS if text in known}
            loaded.generation_config.eos_token_id = sorted(ends | {self.tokenizer.eos_token_id})
        self.device = device

    def evaluate(self, pairs):
        return [self.evaluate_one(pair) for pair in pairs]

    def evaluate_one(self, pair):
        model, chain = self.restack(pair["chain"])
        if pair["options"]:
            return choice(pair, [self.score(model, [row])[0] for row in self.option_rows(pair)])
        return self.generate(model, [pair], use_cache=bool(chain))[0]

    def restack(self, text):
        chain = chains.parse(text, len(self.stack.layers))
        return self.stack.run_as(chain), chain

    def encode(self, text):
        # The prompt has its special tokens as text.
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def option_rows(self, pair):
        """(ids, where the option starts) of every option."""
        # lm-evaluation-harness's split: trailing spaces of the context belong to the continuation.
        context = self.encode(pair["prompt"].rstrip())
        if not context:
            raise ValueError("an empty prompt needs a BOS token to score options after it")
        wholes = [self.encode(pair["prompt"] + option) for option in pair["options"]]
        return [(context + whole[len(context) :], len(context)) for whole in wholes]

    def score(self, model, rows):
        """Sum of log-probabilities of `ids[start:]` of every (ids, start), in one forward pass.

        Padding stands on the right, where causal attention does not see it: no mask, hence the fast kernel.
        """
        longest = max(len(ids) for ids, _ in rows)
        inputs = torch.zeros(len(rows), longest, dtype=torch.long)
        for row, (ids, _) in enumerate(rows):
            inputs[row, : len(ids)] = torch.tensor(ids)
        inputs = inputs.to(self.device)
        logits = model(input_ids=inputs, use_cache=False).logits
        sums = []
        for row, (ids, start) in enumerate(rows):
            logprobs = logits[row, start - 1 : len(ids) - 1].float().log_softmax(-1)
            sums.append(logprobs.gather(1, inputs[row, start : len(ids), None]).sum().item())
        return sums

    def generate(self, model, pairs, use_cache, **options):
        """Verdicts of pairs with the same chain, in one batch padded on the left."""
        rows = [self.encode(pair["prompt"]) for pair in pairs]
        longest = max(map(len, rows))
        pad = self.tokenizer.eos_token_id or 0
        inputs = torch.tensor([[pad] * (longest - len(ids)) + ids for ids in rows], device=self.device)
        mask = torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for ids in rows], device=self.device)
        stop = pairs[0]["stop"]
        output = model.generate(
            inputs,
            attention_mask=mask,  # from which `generate` counts positions
            max_new_tokens=pairs[0]["max_new_tokens"],
            do_sample=False,
            repetition_penalty=1.0,  # whatever generation_config.json asks for: plain greedy
            use_cache=use_cache,
            pad_token_id=pad,
            stopping_criteria=[StopAt(self.tokenizer, stop, longest)] if stop else None,
            return_dict_in_generate=True,
            **options,
        )
        verdicts = []
        for pair, tokens in zip(pairs, output.sequences[:, longest:].tolist(), strict=True):
            verdict = {"id": pair["id"], "chain": pair["chain"], "answer": self.text(tokens, stop)}
            if options.get("output_logits"):
                best = torch.stack(output.logits)[:, 0].float().topk(2).values
                verdict["leads"] = (best[:, 0] - best[:, 1]).tolist()
                verdict["texts"] = [self.text(tokens[: n + 1], stop) for n in range(len(tokens))]
            verdicts.append(verdict)
        return verdicts

    def text(self, tokens, stop):
        text = self.tokenizer.decode(tokens, skip_special_tokens=True)
        for end in stop:
            text = text.split(end, 1)[0]
        return text

    def leads(self, pairs):
        """As `evaluate`; generations also with the lead of every token and the text up to it."""
        verdicts = []
        for pair in pairs:
            model, chain = self.restack(pair["chain"])
            options = {"use_cache": bool(chain), "output_logits": True}
            verdicts.append(
                self.evaluate_one(pair) if pair["options"] else self.generate(model, [pair], **options)[0]
            )
        return verdicts


class Grouped(Loop):
    """All pairs of a chain together, `rows` sequences a batch: an option is a sequence."""

    def __init__(self, loop, rows=16):
        vars(self).update(vars(loop))  # the same weights and tokenizer
        self.rows = rows

    def evaluate(self, pairs):
        by_chain = {}
        for at, pair in enumerate(pairs):
            by_chain.setdefault(pair["chain"], []).append(at)
        verdicts = [None] * len(pairs)
        for text, members in by_chain.items():
            model, chain = self.restack(text)
            # Alike lengths together: less padding.
            members.sort(key=lambda at: len(pairs[at]["prompt"]))
            for batch in batches(members, max(1, self.rows // len(pairs[0]["options"] or [0]))):
                done = self.evaluate_batch(model, [pairs[at] for at in batch], use_cache=bool(chain))
                for at, verdict in zip(batch, done, strict=True):
                    verdicts[at] = verdict
        return verdicts

    def evaluate_batch(self, model, pairs, use_cache):
        if not pairs[0]["options"]:
            return self.generate(model, pairs, use_cache)
        rows = [self.option_rows(pair) for pair in pairs]
        # As many sequences a pass as asked for, were one question's options more than that.
        sums = [s for batch in batches(sum(rows, []), self.rows) for s in self.score(model, batch)]
        ends = [sum(map(len, rows[: n + 1])) for n in range(len(rows))]
        return [choice(pair, sums[end - len(own) : end]) for pair, own, end in zip(pairs, rows, ends, strict=True)]


def batches(items, size):
    return [items[start : start + size] for start in range(0, len(items), size)]


def choice(pair, logprobs):
    picked = logprobs.index(max(logprobs))
    return {"id": pair["id"], "chain": pair["chain"], "picked": picked, "logprobs": logprobs}


class StopAt(StoppingCriteria):
    """Ends a sequence once its new text contains one of `texts`."""

    def __init__(self, tokenizer, texts, prompt_length):
        self.tokenizer, self.texts, self.prompt_length = tokenizer, texts, prompt_length

    def __call__(self, input_ids, scores, **kwargs):
        new = self.tokenizer.batch_decode(input_ids[:, self.prompt_length :], skip_special_tokens=True)
        found = [any(text in each for text in self.texts) for each in new]
        return torch.tensor(found, dtype=torch.bool, device=input_ids.device)
