"""Runs the transformers arms for compare.py: the model is loaded once, requests come on standard input.

    python benchmarks/transformers_worker.py --model DIR|FILE.gguf [--device cuda] [--dtype bfloat16]

A request is a line {"arm": "loop" | "grouped" | "leads", "pairs": FILE, "out": FILE, "threads": N, "rows": N};
the pairs are those of `transformers_arms.py`, and the verdicts go to `out`, one a line, in the same order. The
answer is a line {"seconds"}: of the evaluation alone, tokenising included. The first pair has been run once
before the clock starts.
"""

import argparse
import json
import sys
import time

import torch
import transformers
from transformers_arms import Grouped, Loop


def answer(loop, request):
    torch.set_num_threads(request["threads"])
    with open(request["pairs"], encoding="utf-8") as lines:
        pairs = [json.loads(line) for line in lines if line.strip()]
    grouped = Grouped(loop, request["rows"])
    evaluate = {"loop": loop.evaluate, "grouped": grouped.evaluate, "leads": loop.leads}[request["arm"]]
    with torch.inference_mode():
        evaluate(pairs[:1])
        start = time.perf_counter()
        verdicts = evaluate(pairs)
        seconds = time.perf_counter() - start
    with open(request["out"], "w", encoding="utf-8") as out:
        out.writelines(json.dumps(verdict, ensure_ascii=False) + "\n" for verdict in verdicts)
    return {"seconds": seconds}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="directory in Hugging Face layout, or a GGUF file")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    loop = Loop(args.model, args.device, args.dtype)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    print(json.dumps(versions | {"python": sys.version.split()[0]}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(loop, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
