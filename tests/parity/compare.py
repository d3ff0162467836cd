"""What is the same and what differs in two evaluations of the same rows."""

TOLERANCE = 1e-3  # nats
NEAR_TIE = 1e-4  # nats: below, rounding decides

# Keys of a line of samples and of the results that both must have; what a run of either adds to them is listed.
LISTED = 5


def lines(results):
    """The samples of the one task of an evaluation."""
    (samples,) = results["samples"].values()
    return samples


def rounded(response):
    """A log-probability and whether it is greedy, or a text."""
    return response if isinstance(response, str) else [round(float(response[0]), 5), bool(response[1])]


def case(case, expected, ours, least_lead):
    """Every difference between lm-evaluation-harness's results and ours."""
    our_results, our_lines = ours
    found = {
        "rows": 0, "requests": 0, "largest_log_prob_difference": 0.0, "log_probs_beyond_tolerance": 0, "prompts_differ": 0,
        "hashes_differ": 0, "picks_differ": 0, "texts_differ": 0, "filtered_differ": 0, "metrics_differ": 0, "results_differ": [],
        "near_ties": 0, "near_ties_that_differ": [], "examples": [], "keys_missing": [],
    }
    for at, each in enumerate(expected):
        in_part = [line for line in our_lines if not case.column or line["doc"][case.column] == case.values[at]]
        theirs = lines(each)
        if len(theirs) != len(in_part):
            raise SystemExit(f"{case.name}: {len(theirs)} lines of theirs, {len(in_part)} of ours")
        found["rows"] += len({line["doc_id"] for line in theirs})
        for their, our in zip(theirs, in_part):
            sample(their, our, found, least_lead)
        if len(expected) == 1:
            results(each["results"][case.theirs[at]], our_results["results"][case.ours], found)
        missing = set(theirs[0]) - set(in_part[0])
        missing |= {f"results: {key}" for key in set(each) - {"samples"} - set(our_results)}
        missing |= {f"config: {key}" for key in set(each["config"]) - set(our_results["config"])}
        found["keys_missing"] = sorted(set(found["keys_missing"]) | missing)
    return found


def rolled(their, our, found):
    """Whole texts: their log-probabilities, and by what each metric divides them."""
    found["requests"] += 1
    [(asked,)] = their["arguments"]
    note(found, "prompts_differ", [asked] != [argument["arg_0"] for argument in our["arguments"].values()], [asked, our["arguments"]])
    one, two = float(their["filtered_resps"][0]), float(our["filtered_resps"][0])
    found["largest_log_prob_difference"] = max(found["largest_log_prob_difference"], abs(one - two))
    # Sums over thousands of tokens round in proportion.
    note(found, "log_probs_beyond_tolerance", abs(one - two) > max(TOLERANCE, 1e-6 * abs(one)), [one, two])
    lengths = {name: [their[name][1], our[name][1]] for name in their["metrics"]}
    note(found, "metrics_differ", any(a != b for a, b in lengths.values()), lengths)


def sample(their, our, found, least_lead):
    hashes = ["doc_hash", "prompt_hash", "target_hash"]
    differ = [key for key in hashes if their[key] != our[key]]
    note(found, "hashes_differ", differ, [differ, their["doc"], our["doc"]])
    if isinstance(their["filtered_resps"][0], float):
        return rolled(their, our, found)
    asked = [[context, other if isinstance(other, str) else other["until"]] for context, other in their["arguments"]]
    ours = [[a["arg_0"], a["arg_1"] if isinstance(a["arg_1"], str) else a["arg_1"]["until"]] for a in our["arguments"].values()]
    same_prompt = asked == ours and their["filter"] == our["filter"] and str(their["target"]) == our["target"]
    note(found, "prompts_differ", not same_prompt, [asked[0], ours[0], their["target"], our["target"]])
    if isinstance(their["filtered_resps"][0], str):
        near = texts(their, our, found, least_lead)
    else:
        near = choices(their, our, found)
    metrics = {name: [float(their[name]), our[name]] for name in their["metrics"] if name in our}
    differ = {name: pair for name, pair in metrics.items() if abs(pair[0] - pair[1]) > allowed(name)}
    if not near:
        note(found, "metrics_differ", differ, [differ, their["resps"], our["resps"]])


def allowed(metric):
    """What a metric may differ by: one of log-probabilities as much as they."""
    return TOLERANCE if metric.startswith(("perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte")) else 0.0


def note(found, key, differs, example):
    if differs:
        found[key] += 1
        if len(found["examples"]) < LISTED:
            found["examples"].append([key, example])


def choices(their, our, found):
    """Log-probabilities and picks; True where rounding decides."""
    one = [float(value) for value, _ in their["filtered_resps"]]
    two = [float(value) for value, _ in our["filtered_resps"]]
    options = [len(option) for option in options_of(their)]
    found["requests"] += len(one)
    differences = [abs(a - b) for a, b in zip(one, two)]
    found["largest_log_prob_difference"] = max([found["largest_log_prob_difference"], *differences])
    note(found, "log_probs_beyond_tolerance", max(differences) > TOLERANCE, [one, two])
    if len(one) == 1:
        # Nothing to pick: whether greedy decoding writes it is a metric.
        return False
    near = False
    for scale in [[1] * len(one), options]:
        a, b = ([value / width for value, width in zip(values, scale)] for values in (one, two))
        best, second = sorted(a, reverse=True)[:2]
        tie = best - second < NEAR_TIE
        near |= tie
        differ = a.index(max(a)) != b.index(max(b))
        if differ and tie:
            found["near_ties_that_differ"].append({"doc_id": their["doc_id"], "lead": best - second})
        elif differ:
            note(found, "picks_differ", True, [a, b])
    found["near_ties"] += near
    return near


def options_of(their):
    """Options as their lengths are counted: where the contexts differ, what the options put there."""
    contexts = [context for context, _ in their["arguments"]]
    if len(set(contexts)) == 1:
        # The delimiter is a space in all tasks here, or nothing.
        return [continuation.removeprefix(" ") for _, continuation in their["arguments"]]
    doc = their["doc"]
    start = doc["sentence"].index("_")
    return [doc["sentence"][:start] + doc[option] for option in ("option1", "option2")]


def texts(their, our, found, least_lead):
    """Generated and filtered texts; True where rounding decides."""
    found["requests"] += 1
    one, two = their["resps"][0][0], our["resps"][0][0]
    if one == two:
        note(found, "filtered_differ", their["filtered_resps"] != our["filtered_resps"], [their["filtered_resps"], our["filtered_resps"]])
        return False
    prompt, settings = their["arguments"][0]
    lead = least_lead(prompt, settings["max_gen_toks"])
    if lead < NEAR_TIE:
        found["near_ties"] += 1
        found["near_ties_that_differ"].append({"doc_id": their["doc_id"], "lead": lead})
        return True
    note(found, "texts_differ", True, [one, two, lead])
    return False


def results(their, our, found):
    for key, value in their.items():
        # A metric that only one side has is told by the keys; the error of a perplexity is drawn there and computed here.
        if key in ("alias", "name") or key not in our or key.startswith("perplexity_stderr"):
            continue
        same = value == our[key] if isinstance(value, str) else abs(value - our[key]) <= max(1e-9, allowed(key) * abs(value))
        if not same:
            found["results_differ"].append([key, value, our[key]])


COUNTS = ["prompts_differ", "hashes_differ", "log_probs_beyond_tolerance", "picks_differ", "texts_differ", "filtered_differ", "metrics_differ"]


def is_same(found):
    """Whether nothing differs but what rounding decides."""
    results_may_differ = bool(found["near_ties_that_differ"])
    # Minerva's other metric, in whose place stands math_match.
    if set(found["keys_missing"]) - {"math_verify"}:
        return False
    return not any(found[key] for key in COUNTS) and (results_may_differ or not found["results_differ"])


def in_words(found):
    return f"{found['rows']} rows, largest difference {found['largest_log_prob_difference']:.1e}, " + ", ".join(
        f"{key} {found[key]}" for key in [*COUNTS, "results_differ", "keys_missing", "near_ties_that_differ", "seconds"] if found[key]
    )


def report(outcomes):
    """The table, and what rounding decided."""
    ties = [f"- {key}: {found['near_ties_that_differ']}" for key, found in sorted(outcomes.items()) if found["near_ties_that_differ"]]
    missing = [f"- {key}: {', '.join(found['keys_missing'])}" for key, found in sorted(outcomes.items()) if found["keys_missing"]]
    parts = [table(outcomes), "Near-ties that differ (doc_id and lead, nats):", "\n".join(ties) or "none"]
    return "\n\n".join(parts + ["Keys of theirs that ours lack:", "\n".join(missing) or "none"]) + "\n"


def table(outcomes):
    head = ["task / model", "rows", "requests", "largest difference, nats", *(key.replace("_", " ") for key in COUNTS), "results differ", "near-ties", "of them differ"]
    out = ["| " + " | ".join(head) + " |", "| --- " * len(head) + "|"]
    for key, found in sorted(outcomes.items()):
        largest = f"{found['largest_log_prob_difference']:.1e}" if found["largest_log_prob_difference"] else "-"
        cells = [key, found["rows"], found["requests"], largest, *(found[count] for count in COUNTS)]
        cells += [len(found["results_differ"]), found["near_ties"], len(found["near_ties_that_differ"])]
        out.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(out)
