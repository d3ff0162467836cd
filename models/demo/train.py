"""Train the bundled model: a small Llama that answers `cola synth` questions directly, without a scratchpad.

    python3 models/demo/train.py --out DIR [--cola target/release/cola] [--minutes 80 | --steps N] [--seed 1] [--vocabulary words]

All data comes from `cola synth`, the training split only; what is logged is accuracy on the test split. The loss is on
the answer alone. Arithmetic is a curriculum: a level is opened once the one before it is answered well. DIR gets the
model in Hugging Face layout, renewed at every evaluation so that a killed run loses minutes only, and training_log.csv.
"""

import argparse
import csv
import itertools
import json
import math
import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM

BOS, EOS, PAD = "<s>", "</s>", "<pad>"
ARITH, COMMONSENSE = "arith", "commonsense"
COMMONSENSE_LEVELS = (1, 2)
CHUNK = {ARITH: 100_000, COMMONSENSE: 10_000}
SMALL = {(ARITH, 1): 3_000, (ARITH, 2): 100_000}
EVALUATED = 400
# What one token covers, by --vocabulary.
WORDS = {
    "words": r" ?[A-Za-z]+| ?[0-9]|\s|[^\sA-Za-z0-9]",
    "turns": r" (?:up|down) [0-9]{1,2}| ?[A-Za-z]+| ?[0-9]|\s|[^\sA-Za-z0-9]",
}


def main():
    options = parse_options()
    random.seed(options.seed)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer(options)
    model = build_model(tokenizer, options)
    source = Source(options, tokenizer)
    test = source.test_sets()
    save(model, tokenizer, out)
    train(model, tokenizer, source, test, options, out)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", required=True, help="directory of the model and its log")
    parser.add_argument("--cola", default="target/release/cola", help="the program that makes the data")
    parser.add_argument("--minutes", type=float, default=80, help="wall-clock time of training")
    parser.add_argument("--steps", type=int, help="length of training in place of --minutes: the model then does not "
                                                  "depend on how fast the machine is, and is evaluated 20 times")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vocabulary", choices=WORDS, default="words",
                        help="words: every word and every digit is a token; turns: so is a whole turn of the dial ( up 12)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--levels", type=int, default=5, help="highest arithmetic level trained")
    parser.add_argument("--commonsense", type=float, default=0.1, help="share of batches that are commonsense")
    parser.add_argument("--two-fact", type=float, default=0.3, help="share of commonsense batches of level 2")
    parser.add_argument("--two-fact-pairs", type=int, default=64,
                        help="two-fact questions trained on; the others are left for the model to infer")
    parser.add_argument("--open-at", type=float, default=0.9, help="accuracy of a level that opens the next")
    parser.add_argument("--stop-at", type=float, default=0.7, help="test accuracy of the highest level to stop at")
    parser.add_argument("--evaluate-every", type=float, default=3, help="minutes")
    return parser.parse_args()


def synth(options, kind, level, count, seed, split):
    """Rows of `cola synth`."""
    command = [options.cola, "synth", "--kind", kind, "--level", level, "--count", count, "--seed", seed,
               "--split", split]
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def as_text(row):
    """The prompt of the task files in datasets/, and what should follow it."""
    if row["kind"] == ARITH:
        return f"{row['question']}\nAnswer:", " " + row["answer"]
    listed = row["choices"]["text"]
    gold = listed[row["choices"]["label"].index(row["answerKey"])]
    return f"{row['question']}\nChoices: {', '.join(listed)}\nAnswer:", " " + gold


def train_tokenizer(options):
    """Byte-level BPE in which every word of the questions, with its space, and every digit is one token, or also every turn of the dial."""
    tokenizer = Tokenizer(models.BPE())
    words = Regex(WORDS[options.vocabulary])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(words, behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    rows = synth(options, ARITH, 3, 2_000, options.seed, "train")
    for level in COMMONSENSE_LEVELS:
        rows += synth(options, COMMONSENSE, level, 4_000, options.seed, "train")
    trainer = trainers.BpeTrainer(
        vocab_size=4096, min_frequency=2, special_tokens=[BOS, EOS, PAD], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(("".join(as_text(row)) for row in rows), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B", special_tokens=[(BOS, tokenizer.token_to_id(BOS))],
    )
    return tokenizer


def build_model(tokenizer, options):
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=options.layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        # The default of 0.02 is meant for wide models; at this width it learns next to nothing.
        initializer_range=0.08,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.token_to_id(BOS),
        eos_token_id=tokenizer.token_to_id(EOS),
        pad_token_id=tokenizer.token_to_id(PAD),
        attn_implementation="sdpa",
    )
    return LlamaForCausalLM(config)


class Source:
    """Endless training batches and fixed test sets, by (kind, level)."""

    def __init__(self, options, tokenizer):
        self.options = options
        self.tokenizer = tokenizer
        self.eos = tokenizer.token_to_id(EOS)
        self.pad = tokenizer.token_to_id(PAD)
        self.pending = {}
        self.chunks = {}
        self.pairs = None
        self.rows = 0

    def batch(self, kind, level):
        pending = self.pending.setdefault((kind, level), [])
        if len(pending) < self.options.batch:
            pending.extend(self.chunk(kind, level))
        taken, self.pending[kind, level] = pending[: self.options.batch], pending[self.options.batch :]
        return self.collate(taken)

    def chunk(self, kind, level):
        """The next rows of the training split; the few rows of a small level are shuffled and used again."""
        number = self.chunks.get((kind, level), 0)
        self.chunks[kind, level] = number + 1
        count = SMALL.get((kind, level), CHUNK[kind])
        rows = synth(self.options, kind, level, count, 1000 * self.options.seed + number, "train")
        if (kind, level) == (COMMONSENSE, 2):
            rows = self.trained_pairs(rows)
        self.rows += len(rows)
        examples = self.encode(rows)
        random.shuffle(examples)
        return examples

    def trained_pairs(self, rows):
        """The rows that ask one of the few (member, relation) pairs trained on. With all pairs of the training split the
        held-out ones are soon answered as well as single facts are."""
        if self.pairs is None:
            known = sorted({row["question"] for row in rows})
            self.pairs = set(random.Random(self.options.seed).sample(known, self.options.two_fact_pairs))
        return [row for row in rows if row["question"] in self.pairs]

    def encode(self, rows):
        """(prompt tokens, answer tokens with end) of every row."""
        texts = [as_text(row) for row in rows]
        prompts = self.tokenizer.encode_batch([prompt for prompt, _ in texts])
        answers = self.tokenizer.encode_batch([answer for _, answer in texts], add_special_tokens=False)
        return [(prompt.ids, answer.ids + [self.eos]) for prompt, answer in zip(prompts, answers)]

    def collate(self, examples):
        """Tokens [B, T] padded on the right, where causal attention needs no mask; the places [B, A] that predict the
        answer; the answer [B, A], -100 past its end."""
        length = max(len(prompt) + len(answer) - 1 for prompt, answer in examples)
        width = max(len(answer) for _, answer in examples)
        tokens = [prompt + answer[:-1] for prompt, answer in examples]
        tokens = torch.tensor([row + [self.pad] * (length - len(row)) for row in tokens])
        first = torch.tensor([len(prompt) - 1 for prompt, _ in examples])
        places = (first[:, None] + torch.arange(width)).clamp(max=length - 1)
        targets = torch.tensor([answer + [-100] * (width - len(answer)) for _, answer in examples])
        return tokens, places, targets

    def test_sets(self):
        levels = [(ARITH, level) for level in range(1, self.options.levels + 1)]
        levels += [(COMMONSENSE, level) for level in COMMONSENSE_LEVELS]
        return {key: synth(self.options, *key, EVALUATED, self.options.seed, "test") for key in levels}


def answer_logits(model, tokens, places):
    """Logits [B, A, V] at the places that predict the answer; the rest never reaches the head."""
    hidden = model.model(input_ids=tokens, use_cache=False).last_hidden_state
    wanted = hidden.gather(1, places[..., None].expand(-1, -1, hidden.shape[-1]))
    return model.lm_head(wanted)


def all_right(logits, targets):
    """Whether every token of the answer is the most likely one [B]. Greedy decoding gives the answer exactly then."""
    return ((logits.argmax(-1) == targets) | (targets == -100)).all(1)


@torch.no_grad()
def evaluate(model, source, test):
    """Accuracy by (kind, level) on the test split: exact match for numbers, the likeliest option for choices."""
    model.eval()
    accuracy = {}
    for (kind, level), rows in test.items():
        right = 0
        for start in range(0, len(rows), 100):
            some = rows[start : start + 100]
            if kind == ARITH:
                tokens, places, targets = source.collate(source.encode(some))
                right += all_right(answer_logits(model, tokens, places), targets).sum().item()
            else:
                right += likeliest_right(model, source, some)
        accuracy[kind, level] = right / len(rows)
    model.train()
    return accuracy


def likeliest_right(model, source, rows):
    """How many rows have the right option as the continuation of highest log-probability (its end not counted)."""
    labels = rows[0]["choices"]["label"]
    scores = []
    for label in labels:
        tokens, places, targets = source.collate(source.encode([row | {"answerKey": label} for row in rows]))
        targets[targets == source.eos] = -100
        logits = answer_logits(model, tokens, places).flatten(0, 1)
        losses = torch.nn.functional.cross_entropy(logits, targets.flatten(), reduction="none")
        scores.append(-losses.view(targets.shape).sum(1))
    best = torch.stack(scores).argmax(0)
    return sum(labels[index] == row["answerKey"] for index, row in zip(best.tolist(), rows))


class Curriculum:
    """Which levels are open, and which one comes next."""

    def __init__(self, options):
        self.options = options
        self.open = 1
        self.recent = 0.0

    def draw(self):
        if random.random() < self.options.commonsense:
            return COMMONSENSE, 2 if random.random() < self.options.two_fact else 1
        newest = random.random() < 0.5
        return ARITH, self.open if newest else random.randint(1, self.open)

    def tell(self, kind, level, accuracy, progress):
        """Opens the next level once the newest is answered well, or when its time has come."""
        if kind == ARITH and level == self.open:
            self.recent += 0.05 * (accuracy - self.recent)
        if self.open < self.options.levels and (self.recent > self.options.open_at or progress > 0.15 * self.open):
            self.open += 1
            self.recent = 0.0


def rate(options, step, progress):
    """Learning rate: 200 steps of warm-up, constant, and a linear fall over the last third of the time."""
    return options.learning_rate * min(1, (step + 1) / 200, max(0.01, (1 - progress) * 3))


def train(model, tokenizer, source, test, options, out):
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, betas=(0.9, 0.98), weight_decay=0.01,
                                  fused=True)
    curriculum = Curriculum(options)
    header = ["minutes", "step", "rows", "open", "learning_rate", "loss", "ms_a_step"]
    header += [f"{kind}-{level}" for kind, level in test]
    with open(out / "training_log.csv", "w", newline="") as file:
        log = csv.writer(file)
        log.writerow(header)
        begun, evaluated, loss_mean, marked = time.monotonic(), 0, 0.0, (time.monotonic(), 0)
        model.train()
        for step in itertools.count():
            elapsed = (time.monotonic() - begun) / 60
            if options.steps:
                progress = step / options.steps
                due = step > 0 and step % max(1, options.steps // 20) == 0
            else:
                progress = elapsed / options.minutes
                due = elapsed >= evaluated + options.evaluate_every
            if due or progress >= 1:
                now = time.monotonic()
                speed = 1000 * (now - marked[0]) / max(1, step - marked[1])
                accuracy = evaluate(model, source, test)
                evaluated = elapsed
                row = [f"{evaluated:.1f}", step, source.rows, curriculum.open, f"{rate(options, step, progress):.2g}",
                       f"{loss_mean:.4f}", f"{speed:.0f}", *(f"{value:.3f}" for value in accuracy.values())]
                log.writerow(row)
                file.flush()
                print(" ".join(f"{name}={value}" for name, value in zip(header, row)), flush=True)
                save(model, tokenizer, out)
                marked = (time.monotonic(), step)
                if progress >= 1 or accuracy[ARITH, options.levels] > options.stop_at:
                    return
            kind, level = curriculum.draw()
            tokens, places, targets = source.batch(kind, level)
            logits = answer_logits(model, tokens, places)
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for group in optimizer.param_groups:
                group["lr"] = rate(options, step, progress)
            optimizer.step()
            loss_mean += (0.02 if step else 1) * (loss.item() - loss_mean)
            curriculum.tell(kind, level, all_right(logits, targets).float().mean().item(), progress)
            if not math.isfinite(loss_mean):
                raise SystemExit("the loss is not finite")


def save(model, tokenizer, out):
    """The model directory, complete before it replaces the one of the last evaluation."""
    fresh, old = out / "model.new", out / "model.old"
    shutil.rmtree(fresh, ignore_errors=True)
    model.save_pretrained(fresh)
    tokenizer.save(str(fresh / "tokenizer.json"))
    special = {"bos_token": BOS, "eos_token": EOS, "pad_token": PAD}
    write_json(fresh / "special_tokens_map.json", special)
    write_json(fresh / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", **special, "add_bos_token": True, "add_eos_token": False,
        "clean_up_tokenization_spaces": False, "model_max_length": model.config.max_position_embeddings,
    })
    for file in fresh.iterdir():
        # safetensors writes for the owner alone, and the model is there to be shared.
        file.chmod(0o644)
    shutil.rmtree(old, ignore_errors=True)
    if (out / "model").exists():
        os.rename(out / "model", old)
    os.rename(fresh, out / "model")
    shutil.rmtree(old, ignore_errors=True)


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2) + "\n")


if __name__ == "__main__":
    main()
