"""Whether all arms gave the same answers, and where not, how closely it was decided."""

from sides import Refused, write_lines

# Nats: two answers closer than this may change places with the order of a sum.
NEAR_TIE = 1e-3


def key(line):
    return line["id"], line["chain"]


def answer(pair, verdict):
    """What an arm answered, as `cola` reports it."""
    if "picked" in verdict:
        return pair["options"][verdict["picked"]].strip()
    return verdict["answer"].strip()


class Agreement:
    """The answers of every arm in every round, by pair."""

    def __init__(self, pairs):
        self.pairs = {key(pair): pair for pair in pairs}
        self.answers = {pair: {} for pair in self.pairs}
        self.correct = {pair: set() for pair in self.pairs}
        self.inexact = set()

    def add(self, arm, verdicts, exact=True, complete=True):
        """An arm that is not `exact` is counted, and its answers may differ; one not `complete` ran some pairs."""
        if not exact:
            self.inexact.add(arm)
        seen = set()
        for verdict in verdicts:
            pair = key(verdict)
            if pair not in self.pairs:
                continue  # of the whole list, not drawn
            seen.add(pair)
            if "error" in verdict:
                raise Refused(f"{arm}: {pair[0]}, {pair[1]}: {verdict['error']}")
            if "correct" in verdict and exact:
                self.correct[pair].add(verdict["correct"])
            self.answers[pair].setdefault(arm, set()).add(answer(self.pairs[pair], verdict))
        if complete and seen != self.pairs.keys():
            raise Refused(f"{arm}: verdicts on {len(seen)} of {len(self.pairs)} pairs")

    def differing(self):
        return [
            pair for pair in self.pairs if len(set().union(*self.exact(pair).values())) > 1 or len(self.correct[pair]) > 1
        ]

    def exact(self, pair):
        return {arm: given for arm, given in self.answers[pair].items() if arm not in self.inexact}

    def agreeing(self, arm):
        """On how many of the pairs that the arm ran every round of it gave the answer that every round of the loop gave."""
        both = [by_arm[arm] | by_arm["loop"] for by_arm in self.answers.values() if arm in by_arm]
        return {"alike": sum(len(answers) == 1 for answers in both), "of": len(both)}

    def disagreements(self, transformers, setting, work):
        """The pairs not answered alike, each with by how much the loop decided it, in nats."""
        differing = self.differing()
        if not differing:
            return []
        write_lines(work / "differing.jsonl", [self.pairs[pair] for pair in differing])
        _, verdicts = transformers.evaluate("leads", work / "differing.jsonl", setting, work / "leads.jsonl")
        explained = []
        for pair, verdict in zip(differing, verdicts, strict=True):
            answers = {arm: sorted(given) for arm, given in self.exact(pair).items()}
            others = set().union(*answers.values()) - {answer(self.pairs[pair], verdict)}
            # None: the same answer, but not the same verdict, which no tie explains.
            lead = min((lead_over(verdict, other) for other in others), default=None)
            each = {"id": pair[0], "chain": pair[1], "answers": answers, "lead": lead}
            explained.append({**each, "near_tie": lead is not None and lead < NEAR_TIE})
        return explained


def lead_over(verdict, other):
    """By how many nats the answer was decided; of a generation, the token where `other` turns off."""
    if "picked" in verdict:
        first, second = sorted(verdict["logprobs"], reverse=True)[:2]
        return first - second
    same = 0
    for text in verdict["texts"]:
        # Half a character of several bytes is shown as a replacement character.
        if not other.startswith(text.strip().rstrip("\ufffd")):
            break
        same += 1
    # Bytes and stripped spaces show a token late: the one before may be where it turned off.
    near = verdict["leads"][max(0, same - 1) : same + 1]
    return min(near or verdict["leads"][-1:])


def repeated(verdicts):
    """Of the pairs after the first of their sample, how many repeat an earlier answer of it; and how many pairs."""
    seen, repeats, later = {}, 0, 0
    for verdict in verdicts:
        earlier = seen.setdefault(verdict["id"], set())
        later += bool(earlier)
        repeats += verdict["answer"] in earlier
        earlier.add(verdict["answer"])
    return {"repeats": repeats, "of": later}


def alike(ours, theirs):
    """On how many prompts of `theirs` the texts are the same."""
    by_id = {verdict["id"]: verdict["answer"].strip() for verdict in ours}
    return {"alike": sum(by_id[each["id"]] == each["answer"].strip() for each in theirs), "of": len(theirs)}
