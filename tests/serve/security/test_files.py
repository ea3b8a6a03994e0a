"""What is tried with files: places that are not theirs, pages in the place of rows, bombs, and archives that leave their folder."""

import csv
import gzip
import io
import json
import pathlib
import pickle
import time
import zipfile
from collections.abc import Mapping
from typing import Any

import psutil
import pyarrow as pa

from tests.serve.security.places import FILE, SECRET, Place, brought, call, read, sent
from tuning.studio.beside.own_questions import table

PASSWD = "root:x:0:0"
MARKUP = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(60218)"><script>alert(60218)</script></svg>'
ROWS = b"question,answer\n" + b"".join(b"What is %d?,It is %d.\n" % (n, n) for n in range(30))
ROUTES = (
    "gradio_api/file=", "file=", "gradio_api/file/", "static/", "assets/", "watch/", "take/", "theme.css/", "gradio_api/stream/x/1/",
    "v1/models/",
)  # fmt: skip
AWAY = "../../secret.txt"  # from the folder of uploads


def spelled(place: Place) -> list[str]:
    """Files that are nobody's to read, in every way in which their place can be written."""
    secret, folder = str(place.secret), place.home / "uploads"
    inside = [AWAY, f"x/../{AWAY}", "..%2f..%2fsecret.txt", "%2e%2e/%2e%2e/secret.txt", "....//....//secret.txt", "..\\..\\secret.txt"]
    whole = ["/{}", "file://{}", "{}%00.csv", "~{}", "{}?x", "/./{}", "{}/.", "{}%20", "{}::$DATA"]
    kept = ("app.log", "visitors.key", "people.json", "keys.json", "runs", "data", "uploads", "page.lock")
    return [
        secret, secret[1:], secret.replace("/", "%2f"), secret.replace("/", "%252f"), *(f"{folder}/{one}" for one in inside),
        *(one.format(secret) for one in whole), *(str(place.home / name) for name in kept), "/etc/passwd", "../../../../../../etc/passwd",
        "/proc/self/environ", "/proc/self/cmdline", "C:\\Windows\\win.ini", "app.py", "../app.py",
    ]  # fmt: skip


def test_no_file_is_handed_out_that_nobody_brought(place: Place) -> None:
    """Files read by their place (CVE-2023-51449, CVE-2024-0964, CVE-2026-28414), by every route that takes one."""
    with place.browser() as browser:
        for path in place.some(spelled(place), 5):
            for route in place.some(ROUTES):
                answer = browser.get(f"{place.address}/{route}{path}")
                assert answer.status_code in (400, 401, 403, 404), (route, path, answer.status_code)
                assert SECRET not in answer.text and PASSWD not in answer.text and "TUNING" not in answer.text


def test_no_function_takes_a_file_that_nobody_brought(place: Place) -> None:
    """Files read by a payload that names them (CVE-2021-43831, CVE-2023-51449, CVE-2024-47868), with and without the mark of a file."""
    named = [str(place.secret), f"{place.home}/uploads/{AWAY}", "/etc/passwd", "/proc/self/environ", "app.py"]
    with place.browser() as browser:
        for number, path in enumerate(place.some(named, 2)):
            for at, more in enumerate(({"meta": FILE}, {}, {"meta": FILE, "url": path, "orig_name": "a.csv"})):
                said = read(browser, [{"path": path, **more}], f"p{number}-{at}")
                assert '"success":false' in said and SECRET not in said and PASSWD not in said, said[-500:]
        for path in (
            (str(place.secret), str(place.home / "runs"), "/etc/passwd") if place.mode != "local" else ()
        ):  # alone they are one's own
            for endpoint, values in (
                ("check", [path, None, None]),
                ("train", ["starter", path, None, None, None]),
                ("evaluate", ["last", path]),
            ):
                said = call(browser, endpoint, *values)
                assert "event: error" in said and SECRET not in said and PASSWD not in said, said


def test_a_page_that_is_uploaded_never_opens_as_one(place: Place) -> None:
    """Scripts in uploads (CVE-2024-47872): what could run is a download of no type, none is guessed, and none may run in it."""
    names = ("x.svg", "x.html", "x.xhtml", "x.xml", "x.js", "x.png.svg", "x.SVG", "x.pdf", "x.mht", "x.csv", "x", ".html", "x.png")
    with place.browser() as browser:
        for name in {"x.svg", "x.html", *place.some(names, 2)}:
            path = sent(browser, name, MARKUP, "text/html")
            for asked in (f"/gradio_api/file={path}", f"/gradio_api/file={path}?x=.png"):
                headers = browser.get(asked).headers
                kind, as_image = headers["content-type"].split(";")[0], name == "x.png"  # which markup is none in
                assert kind == ("image/png" if as_image else "application/octet-stream"), (name, kind)
                assert as_image or headers["content-disposition"].startswith("attachment")
                assert headers["x-content-type-options"] == "nosniff" and "object-src 'none'" in headers["content-security-policy"]


NAMES = (
    "../../../x.csv", "..\\..\\x.csv", "/etc/x.csv", "a/../../x.csv", "%2e%2e%2fx.csv", "a\0b.csv", ".", "..", " ", "-rf", "con.csv",
    "~/.bashrc", "x" * 300 + ".csv", "$(id).csv", "a\u202egnp.csv", "nul", "a:b.csv",
)  # fmt: skip
PART = b'--b\r\nContent-Disposition: form-data; name="files"; filename="%s"\r\n\r\n%s\r\n'
FORM = {"content-type": "multipart/form-data; boundary=b"}


def test_no_upload_lies_anywhere_but_in_its_folder(place: Place) -> None:
    """Names that leave a folder (CVE-2026-35050): an upload lies in a folder of its own, under a name of one part."""
    before = place.outside()
    with place.browser() as browser:
        for name in place.some(NAMES, 5):
            answer = browser.post("/gradio_api/upload", content=PART % (name.encode(), b"a,b") + b"--b--\r\n", headers=FORM)
            assert answer.status_code in (200, 400), (name, answer.text)
            for path in answer.json() if answer.status_code == 200 else []:
                assert pathlib.Path(path).parent.parent == place.home / "uploads" and pathlib.Path(path).is_file(), name
    assert place.outside() == before


def zipped(content: Mapping[str, str | bytes]) -> bytes:
    """An archive with these names, whatever they are."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, inside in content.items():
            archive.writestr(name, inside)
    return out.getvalue()


def linked(name: str, target: str) -> bytes:
    """An archive with a symbolic link in it."""
    out, entry = io.BytesIO(), zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(entry, target)
    return out.getvalue()


def workbook(cells: str, before: str = "", **more: bytes) -> bytes:
    """An .xlsx with one sheet of these rows, `before` which something is declared."""
    schema, package = "http://schemas.openxmlformats.org", "application/vnd.openxmlformats-officedocument.spreadsheetml"
    office, links = f"{schema}/officeDocument/2006/relationships", f"{schema}/package/2006/relationships"
    main = f'xmlns="{schema}/spreadsheetml/2006/main" xmlns:r="{office}"'
    link = f'<Relationships xmlns="{links}"><Relationship Id="rId1" Type="{office}/%s" Target="%s"/></Relationships>'
    kinds = f'<Override PartName="/xl/workbook.xml" ContentType="{package}.sheet.main+xml"/>'
    return zipped(
        {
            "[Content_Types].xml": f'<Types xmlns="{schema}/package/2006/content-types">{kinds}</Types>',
            "_rels/.rels": link % ("officeDocument", "xl/workbook.xml"),
            "xl/_rels/workbook.xml.rels": link % ("worksheet", "worksheets/sheet1.xml"),
            "xl/workbook.xml": f'<workbook {main}><sheets><sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>',
            "xl/worksheets/sheet1.xml": f'<?xml version="1.0"?>{before}<worksheet {main}><sheetData>{cells}</sheetData></worksheet>',
            **more,
        }
    )


def row(*words: str) -> str:
    return "<row>" + "".join(f'<c t="inlineStr"><is><t>{word}</t></is></c>' for word in words) + "</row>"


def test_no_archive_puts_a_file_anywhere_and_no_link_is_followed(reader: Place) -> None:
    """Archives that leave their folder (zip slip): as a zip, and within a workbook, which is one."""
    leaving = {f"{'../' * 6}slipped.csv": ROWS, f"{reader.home.parent}/slipped.csv": ROWS, "..\\slipped.csv": ROWS}
    good, secret = row("question", "answer") + row("what", "that") * 9, str(reader.secret)
    sheet = "xl/worksheets/sheet1.xml"
    archives = [zipped(leaving), linked("rows.csv", secret), workbook(good, **leaving), workbook(good, **{sheet: secret.encode()})]
    archives += [linked(sheet, secret), workbook(good, **{f"../../{sheet}": ROWS})]
    before = reader.outside()
    with reader.browser() as browser:
        for number, content in enumerate(reader.some(archives, 1)):
            for name in reader.some(("a.xlsx", "a.zip", "a.csv"), 1):
                said = brought(browser, name, content, f"zip-{number}-{name}")
                assert '"process_completed"' in said and SECRET not in said
    assert reader.outside() == before


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return pathlib.Path.write_bytes, (self.path, b"sung")


def arrow(payload: bytes) -> bytes:
    """A table whose column names an extension type that older readers unpickle."""
    hidden = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": payload}
    schema = pa.schema([pa.field("question", pa.string(), metadata=hidden), pa.field("answer", pa.string())], metadata={b"pandas": payload})
    out = io.BytesIO()
    with pa.ipc.new_file(out, schema) as writer:
        writer.write_table(pa.table({"question": ["What?"] * 9, "answer": ["That."] * 9}, schema=schema))
    return out.getvalue()


def test_nothing_that_is_uploaded_is_executed(reader: Place) -> None:
    """Objects in files (CVE-2025-32434, CVE-2025-53002, PyArrow's CVE-2023-47248, YAML's tags): read as rows, or not at all."""
    sung = reader.home.parent / f"sung-{reader.mode}"
    evil = pickle.dumps(Evil(sung), 2)
    torch = zipped({"archive/data.pkl": evil, "archive/version": b"3"})
    yaml = f"- question: !!python/object/apply:pathlib.Path.write_text [{sung}, sung]\n  answer: b\n".encode()
    files = {
        "a.pkl": evil, "a.csv": evil, "adapter_model.bin": torch, "b.parquet": torch, "c.arrow": arrow(evil), "c.parquet": arrow(evil),
        "d.yaml": yaml,
    }  # fmt: skip
    with reader.browser() as browser:
        for name in reader.some(files, 1):
            assert '"process_completed"' in brought(browser, name, files[name], f"evil-{name}")
    assert not sung.exists()
    pickle.loads(evil)  # the object itself is sound: whoever unpickles it has the file
    assert sung.exists() and not sung.unlink()


def test_a_file_that_unfolds_is_refused_and_the_app_goes_on(reader: Place) -> None:
    """Bombs (CVE-2024-10569, CVE-2025-63914): squeezed gigabytes under the name of a table, and brackets in brackets in brackets."""
    squeezed = gzip.compress(b"a" * 10_000_000) * 400
    bombs = {
        "d.json": b"[" * 20_000,
        "a.csv": squeezed,
        "b.csv.gz": squeezed,
        "c.zip": zipped({"rows.csv": ROWS}) * 2,
        "e.jsonl": b'{"a":' * 20_000,
    }
    began, process = time.monotonic(), psutil.Process(reader.pid)
    kept = {*(reader.home / "data").glob("*"), *(reader.home / "waiting").glob("*")}
    with reader.browser() as browser:
        for name in reader.some(bombs, 1):
            assert '"process_completed"' in brought(browser, name, bombs[name], f"bomb-{name}"), name
            assert browser.get("/healthz").json()["alive"] and process.is_running()
    assert time.monotonic() - began < 120
    assert {*(reader.home / "data").glob("*"), *(reader.home / "waiting").glob("*")} == kept


def dispositions(count: int) -> bytes:
    return b"".join(b'--b\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nx\r\n' % number for number in range(count))


FORMS = {
    "a million dashes": b"--b" + b"-" * 1_000_000 + b"\r\n",
    "a million line ends": b"--b" + b"\r\n" * 500_000,
    "twenty thousand parts": dispositions(20_000) + b"--b--\r\n",
    "a thousand files": b"".join(PART % (b"%d.csv" % number, b"x") for number in range(1001)) + b"--b--\r\n",
    "a header that never ends": b"--b\r\nContent-Disposition: form-data; name=" + b"x" * 2_000_000,
    "fifty thousand headers": b"--b\r\n" + b"X-A: b\r\n" * 50_000 + b"\r\nx\r\n--b--\r\n",
    "no end": PART % (b"a.csv", b"x"),
    "no end of the second": PART % (b"a.csv", b"x") + PART % (b"b.csv", b"x"),
    "nothing": b"",
    "no name": b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
    "another boundary": (PART % (b"a.csv", b"x") + b"--b--\r\n").replace(b"--b", b"--c"),
}


def test_a_form_that_is_none_is_refused_at_once_and_leaves_nothing(place: Place) -> None:
    """Forms that keep a server busy (CVE-2024-8966): odd boundaries, parts and headers take no time, and no file of theirs stays."""
    with place.browser() as browser:
        before, began = {*(place.home / "uploads").iterdir()}, time.monotonic()
        for form in {"a million dashes", "no end", *place.some(FORMS, 2)}:
            answer = browser.post("/gradio_api/upload", content=FORMS[form], headers=FORM)
            assert answer.status_code in (400, 413) or answer.json() == [], (form, answer.status_code, answer.text[:200])
            assert {*(place.home / "uploads").iterdir()} == before, form
        for kind in ("multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "b" * 5000):
            assert browser.post("/gradio_api/upload", content=b"--b--\r\n", headers={"content-type": kind}).status_code == 400
        assert time.monotonic() - began < 60 and browser.get("/healthz").json()["alive"]


def test_a_body_that_is_too_large_is_not_read(place: Place) -> None:
    """Bodies without a bound, of which Gradio has none for calls: past 20 MB they are refused by every route, announced or not."""
    large, kind = b'{"data":["' + b"x" * 21_000_000 + b'"]}', {"content-type": "application/json"}
    with place.browser() as browser:
        for path in place.some(("run/runs", "queue/join", "call/runs", "cancel"), 1):
            assert browser.post(f"/gradio_api/{path}", content=large, headers=kind).status_code == 413
            pieces = (large[at : at + 10**6] for at in range(0, len(large), 10**6))
            assert browser.post(f"/gradio_api/{path}", content=pieces, headers=kind).status_code == 413


def test_a_body_in_which_lists_never_end_is_a_sentence(place: Place) -> None:
    """Nested JSON as a request: it is answered, by the same process."""
    with place.browser() as browser:
        for depth in (900, 100_000):
            body = json.dumps({"data": []}).replace("[]", "[" * depth + "]" * depth)
            for path in place.some(("run/runs", "call/plan", "call/v2/plan", "queue/join"), 2):
                answer = browser.post(f"/gradio_api/{path}", content=body, headers={"content-type": "application/json"})
                assert answer.status_code in (200, 400, 404, 422) and "Traceback" not in answer.text
        assert browser.get("/healthz").json()["alive"] and psutil.Process(place.pid).is_running()


def test_no_cell_is_computed_by_the_spreadsheet_that_opens_a_download() -> None:
    """Formulas in what is taken away as a table (CVE-2022-24770): a question that begins as one is text in the file."""
    questions = ["=HYPERLINK(1)", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "plain"]
    head, *rows = csv.reader(io.StringIO(table(["=head", "b"], [[one, one] for one in questions]).removeprefix("\ufeff")))
    for cell in (head[0], *(cell for row in rows for cell in row)):
        assert cell == "plain" or cell.startswith("'"), cell
