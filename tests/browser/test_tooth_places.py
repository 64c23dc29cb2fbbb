"""Teeth on pictures in a real browser, and the journeys of documents: at the desk, on the tablet, by keyboard, without JavaScript."""

import io
import re

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import expect
from sqlalchemy import select

from clinic.extensions import db
from clinic.models import Category, Document, Projection, ToothPlace
from clinic.operations.documents import Said
from clinic.operations.tooth_places import mark_tooth
from tests.browser import axe
from tests.browser.test_documents import FILES, SMALL, TARGETS, file, filed, row
from tests.documents.test_pictures import dicom
from tests.filed import png
from tests.stores import kept_in

pytestmark = pytest.mark.xdist_group("storage")
OPG = Said(Category.RADIOGRAPH, Projection.PANORAMIC, ("36", "37"))
# The middle of a ring, of the page.
MIDDLE = """ring => {
    const box = ring.querySelector('circle').getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
}"""


@pytest.fixture
def documents(live_server, weed):
    """The address of Fernando's documents; the server keeps its files in a real store."""
    with kept_in(live_server.app, weed):
        yield f"/patients/{live_server.world.patients['fernando']}/documents"


@pytest.fixture
def marked(live_server):
    """`marked(number)`: the rows of a document's teeth, oldest first."""

    def held(number=None):
        with live_server.inside():
            rows = db.session.scalars(select(ToothPlace).order_by(ToothPlace.id))
            return [(place.tooth, place.x, place.y) for place in rows if number in (None, place.document_id)]

    return held


def mark(live_server, number, **teeth) -> None:
    with live_server.inside():
        for tooth, (x, y) in teeth.items():
            mark_tooth(number, tooth=tooth[1:], x=x, y=y, seen=10**9, actor=live_server.world.user("kamal"))
        db.session.commit()


def opg(width=1200, height=600) -> bytes:
    """Dark, with a light square whose middle is at 75 % from the left and 60 % from the top."""
    image = Image.new("L", (width, height), 20)
    x, y = width * 0.75, height * 0.6
    ImageDraw.Draw(image).rectangle([x - 30, y - 30, x + 30, y + 30], fill=220)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def ring(page, tooth):
    return page.locator(f"#ring-{tooth}")


def share(page, tooth) -> tuple[float, float]:
    """Where a ring stands on the picture as it lies on the page, in per cent of it."""
    (x, y), box = ring(page, tooth).evaluate(MIDDLE), page.locator(".viewer-frame img").bounding_box()
    return (x - box["x"]) / box["width"] * 100, (y - box["y"]) / box["height"] * 100


def near(*wanted):
    return pytest.approx(wanted, abs=0.3)


def middle_of(page, what=".viewer-frame"):
    box = page.locator(what).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_rings_stay_where_they_belong(page_of, live_server, documents):
    number = filed(live_server, body=opg(), name="opg.png", said=OPG)
    mark(live_server, number, t36=(750, 600), t18=(50, 300))
    page = page_of("kamal")
    page.goto(f"{documents}/{number}")
    expect(ring(page, 36)).to_be_visible()
    assert share(page, 36) == near(75, 60)
    assert share(page, 18) == near(5, 30)
    page.mouse.move(*ring(page, 36).evaluate(MIDDLE))
    page.mouse.wheel(0, -400)
    assert share(page, 36) == near(75, 60)
    page.mouse.down()
    page.mouse.move(700, 500, steps=4)
    page.mouse.up()
    assert share(page, 36) == near(75, 60)
    expect(page.locator(".viewer-teeth li")).to_have_count(2)  # nothing was moved by that
    page.keyboard.press("0")
    for turned in ((40, 75), (25, 40), (60, 25), (75, 60)):
        page.keyboard.press("t")
        assert share(page, 36) == near(*turned), turned
    page.get_by_label("Brightness").fill("300")
    page.keyboard.press("n")
    assert ring(page, 36).evaluate("it => getComputedStyle(it.closest('.viewer-rings')).filter") == "none"
    expect(page.locator("[data-view-state]")).to_have_text("brightness 300 %, negative")
    page.keyboard.press("0")
    expect(page.locator("[data-view-state]")).to_have_text("")
    page.keyboard.press("s")
    expect(page.get_by_role("button", name="Show teeth")).to_have_attribute("aria-pressed", "false")
    expect(ring(page, 36)).to_be_hidden()
    page.keyboard.press("s")
    expect(ring(page, 36)).to_be_visible()


def test_the_tooth_that_is_asked_for_comes_to_the_middle(page_of, live_server, documents):
    number = filed(live_server, body=opg(), name="opg.png", said=Said(Category.RADIOGRAPH, Projection.PANORAMIC))
    mark(live_server, number, t36=(750, 600), t18=(20, 300))
    page = page_of("silva", "tablet")
    page.goto(documents.replace("documents", "chart/teeth/36"))
    page.get_by_role("link", name="Documents of this tooth (1)").tap()
    page.locator(".document-open").tap()
    page.wait_for_url(f"**/documents/{number}?tooth=36")
    expect(page.locator(".viewer-scale")).to_have_text("300 %")
    assert ring(page, 36).evaluate(MIDDLE) == pytest.approx(middle_of(page), abs=1)
    expect(ring(page, 36)).to_have_class("ring is-meant")
    expect(ring(page, 18)).to_have_class("ring")
    page.get_by_role("link", name="18 at 2 % from the left, 30 % from the top").tap()
    assert ring(page, 18).evaluate(MIDDLE) == pytest.approx(middle_of(page), abs=1)  # also at the edge of the picture
    expect(ring(page, 18)).to_have_class("ring is-meant")
    assert not axe.faults(page)


def test_a_tooth_is_marked_by_a_tap_moved_and_taken_away(page_of, live_server, documents, marked):
    number = filed(live_server, body=opg(), name="opg.png", said=OPG)
    page = page_of("silva", "tablet")
    page.goto(f"{documents}/{number}")
    page.get_by_role("button", name="Mark a tooth").tap()
    expect(page.get_by_label("Tooth", exact=True)).to_have_value("36")
    assert not axe.faults(page)
    assert page.eval_on_selector_all(TARGETS, SMALL) == []
    box = page.locator(".viewer-frame img").bounding_box()
    tap = lambda x, y: page.touchscreen.tap(box["x"] + box["width"] * x, box["y"] + box["height"] * y)  # noqa: E731
    tap(0.75, 0.6)
    expect(page.get_by_role("link", name=re.compile("36 at 7[45].* % from the left, (60|59|60)"))).to_be_visible()
    assert share(page, 36) == pytest.approx((75, 60), abs=0.5)
    expect(page.get_by_label("Tooth", exact=True)).to_have_value("37")  # the next of the document's own
    tap(0.85, 0.6)
    expect(page.locator(".viewer-teeth li")).to_have_count(2)
    page.get_by_role("button", name="Move 36").tap()
    expect(page.get_by_label("Tooth", exact=True)).to_have_value("36")
    box = page.locator(".viewer-frame img").bounding_box()
    tap(0.5, 0.5)
    expect(page.locator("#mark-36")).to_contain_text("36 at 50 % from the left, 50 % from the top")
    page.get_by_role("button", name="Undo").first.tap()
    expect(page.locator("#mark-36")).to_contain_text(re.compile("36 at 7[45]"))
    page.get_by_role("button", name="Take away the mark of 36").tap()
    expect(ring(page, 36)).to_have_count(0)
    page.get_by_role("button", name="Undo").first.tap()
    expect(ring(page, 36)).to_be_visible()
    assert [tooth for tooth, _, _ in marked()] == ["36", "37", "36", "36", "36", "36"]
    page.get_by_role("button", name="Mark a tooth").tap()  # ends it
    box = page.locator(".viewer-frame img").bounding_box()
    tap(0.1, 0.1)
    page.wait_for_timeout(300)
    assert len(marked()) == 6


def test_two_fingers_and_a_slip_mark_nothing(page_of, live_server, documents, marked):
    number = filed(live_server, body=opg(), name="opg.png", said=OPG)
    page = page_of("silva", "tablet")
    page.goto(f"{documents}/{number}")
    page.get_by_role("button", name="Mark a tooth").tap()
    x, y = middle_of(page)
    fingers = page.context.new_cdp_session(page)

    def touch(kind, *places):
        points = [{"x": px, "y": py, "id": at} for at, (px, py) in enumerate(places)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (x - 40, y), (x + 40, y))
    for apart in (60, 90, 120):
        touch("touchMove", (x - apart, y), (x + apart, y))
    touch("touchEnd")
    expect(page.locator(".viewer-scale")).to_have_text(re.compile(r"(2[5-9]|3[0-5])\d %"))
    touch("touchStart", (x, y))
    for slip in (10, 30, 60):
        touch("touchMove", (x + slip, y))
    touch("touchEnd")
    page.wait_for_timeout(300)
    assert marked() == []
    box = page.locator(".viewer-frame").bounding_box()
    page.touchscreen.tap(box["x"] + 200, box["y"] + 200)  # at three times its size a place is as exact
    expect(page.locator(".viewer-teeth li")).to_have_count(1)
    assert ring(page, 36).evaluate(MIDDLE) == pytest.approx((box["x"] + 200, box["y"] + 200), abs=2.5)


def test_the_picture_turned_is_marked_where_one_presses(page_of, live_server, documents):
    number = filed(live_server, body=opg(), name="opg.png", said=OPG)
    page = page_of("kamal")
    page.goto(f"{documents}/{number}")
    page.keyboard.press("t")
    page.keyboard.press("+")
    page.keyboard.press("m")
    x, y = middle_of(page)
    page.mouse.click(x + 40, y + 90)
    expect(ring(page, 36)).to_be_visible()
    assert ring(page, 36).evaluate(MIDDLE) == pytest.approx((x + 40, y + 90), abs=1.5)
    page.locator(".viewer-frame").focus()
    page.keyboard.press("ArrowRight")  # of what is seen
    draft = page.locator(".ring.is-draft")
    assert draft.evaluate(MIDDLE)[0] > x + 41
    assert draft.evaluate(MIDDLE)[1] == pytest.approx(y + 90, abs=1.5)


def test_a_mark_that_was_moved_meanwhile_says_who(page_of, live_server, documents, marked):
    number = filed(live_server, body=opg(), name="opg.png", said=OPG)
    page = page_of("kamal")
    page.goto(f"{documents}/{number}")
    with live_server.inside():
        mark_tooth(number, tooth="36", x=100, y=200, seen=0, actor=live_server.world.user("silva"))
        db.session.commit()
    page.keyboard.press("m")
    page.keyboard.press("Enter")
    expect(page.locator("#refusal")).to_contain_text(
        "Dr Sunil Silva marked this tooth at 10 % from the left, 20 % from the top"
    )
    expect(page.locator("#mark-36")).to_contain_text("36 at 10 %")  # the page shows it now
    assert len(marked()) == 1
    page.keyboard.press("Enter")
    expect(page.locator("#mark-36")).to_contain_text("36 at 50 %")


def test_a_dicom_file_of_somebody_else_is_pointed_out(page_of, live_server, documents):
    theirs = filed(live_server, body=dicom(), name="sensor.dcm")
    volume = filed(live_server, body=dicom(NumberOfFrames=400), name="volume.dcm")
    page = page_of("kamal")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.goto(f"{documents}/{theirs}")
        expect(page.locator("#document-other")).to_contain_text(
            "The file says Nimal Perera; this patient is Nimali Fernando."
        )
        picture = page.get_by_role("img", name="Radiograph")
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
        expect(page.get_by_role("region", name="What the file says")).to_contain_text("Panoramic radiograph (PX)")
        assert not axe.faults(page)
        page.goto(f"{documents}/{volume}")
        expect(page.get_by_text("Kept whole: 400 frames.")).to_be_visible()
        assert not axe.faults(page)


@pytest.mark.parametrize("first", ["picture", "script"])
def test_a_picture_that_cannot_be_had_says_so(page_of, live_server, documents, faults, first):
    number = filed(live_server, body=opg(), name="opg.png", said=OPG)
    page, held = page_of("kamal"), {"picture": [], "script": []}
    page.route("**/file", lambda route: held["picture"].append(route))
    page.route("**/viewer*.js*", lambda route: held["script"].append(route))
    page.goto(f"{documents}/{number}", wait_until="commit")
    expect(page.locator(".viewer-frame img")).to_be_attached()
    while not all(held.values()):  # both are asked for
        page.wait_for_timeout(20)
    go = {
        "picture": lambda: held["picture"][0].fulfill(status=204),
        "script": lambda: [route.continue_() for route in held["script"]],
    }
    go[first]()
    page.wait_for_function({
        "picture": "() => document.querySelector('.viewer-frame img').complete",
        "script": "() => document.querySelector('.viewer.is-live')",
    }[first])  # fmt: skip
    go["script" if first == "picture" else "picture"]()
    expect(page.locator(".viewer-frame")).to_contain_text("cannot be shown at the moment")
    faults.clear()


# --- journeys ---------------------------------------------------------------------------------------------------------


def test_a_journey_at_the_desk(page_of, live_server, documents):
    page = page_of("kamal")
    page.goto(documents)
    dropped = page.evaluate_handle(
        FILES, [["opg.png", list(opg(600, 300))], ["before.png", list(png(40, 30, grey=60))]]
    )
    page.dispatch_event("#documents-list", "drop", {"dataTransfer": dropped})
    pasted = page.evaluate_handle(FILES, [["image.png", list(png(40, 30, grey=200))]])
    page.evaluate(
        "files => document.body.dispatchEvent(new ClipboardEvent('paste', {clipboardData: files, bubbles: true}))",
        pasted,
    )
    expect(page.locator(".upload")).to_have_count(3)
    page.route("**/documents?ticket=*file=1", lambda route: None)  # the network hangs for one of them
    page.get_by_role("button", name="Add 3 files").click()
    expect(page.locator(".upload[data-state=done]")).to_have_count(2)
    expect(row(page, "before.png").get_by_role("progressbar", name="Sent of before.png")).to_be_visible()
    assert not axe.faults(page)
    row(page, "before.png").get_by_role("button", name="Cancel before.png").click()
    expect(page.locator(".upload[data-state=done]")).to_have_count(2)
    row(page, "opg.png").get_by_role("link", name="Open opg.png").click()

    page.get_by_label("What it is", exact=True).select_option("radiograph")  # described
    page.get_by_label("Kind of radiograph").select_option("panoramic")
    page.get_by_label("Teeth", exact=True).fill("36, 37")
    page.get_by_label("Description").fill("First visit")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Panoramic")
    page.get_by_role("button", name="Mark a tooth").click()
    box = page.locator(".viewer-frame img").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.6)
    expect(page.locator("#mark-36")).to_contain_text("36 at 75 %")
    assert not axe.faults(page)

    page.get_by_role("navigation", name="Of this patient").get_by_role("link", name="Documents").click()  # found again
    page.get_by_role("link", name="Radiograph 1").click()
    expect(page.locator(".document")).to_have_count(1)
    page.goto(documents.replace("documents", "chart"))
    page.locator("a[data-place='36'], #tooth-36").first.click()
    page.get_by_role("link", name="Documents of this tooth (1)").click()
    page.locator(".document-open").click()
    expect(ring(page, 36)).to_have_class("ring is-meant")

    page.get_by_role("link", name="Add a newer file").click()  # a newer version
    page.wait_for_url("**/newer")
    page.locator("input[name=file]").set_input_files(file("opg later.png", opg(800, 400)))
    page.get_by_role("button", name="Add to the record").click()
    page.wait_for_url("**/documents/*?added=whole")
    expect(page.get_by_role("region", name="Files of the same thing").get_by_role("listitem")).to_have_count(2)
    page.get_by_role("link", name=re.compile("^Compare")).click()
    page.get_by_label("After").select_option(index=2)
    page.get_by_role("button", name="Compare").click()
    expect(page.locator(".compare img")).to_have_count(2)
    assert not axe.faults(page)
    page.locator(".compare figcaption a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("opg later.png")

    page.get_by_text("Delete this document").click()  # deleted and restored
    page.get_by_label("Why").fill("Of another patient")
    page.get_by_role("button", name=re.compile("^Delete opg")).click()
    expect(page.get_by_text("Deleted: Of another patient")).to_be_visible()
    expect(page.get_by_role("button", name="Mark a tooth")).to_have_count(0)
    page.goto(f"{documents}?deleted=1")
    page.locator(".document-open").click()
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_role("button", name="Mark a tooth")).to_be_visible()
    assert not axe.faults(page)


def test_a_journey_on_the_tablet(page_of, documents):
    page = page_of("silva", "tablet")
    page.goto(documents)
    page.locator("#documents-add > summary").tap()
    with page.expect_file_chooser() as camera:
        page.get_by_role("button", name="Take a photo").tap()
    camera.value.set_files(file("smile.png", opg(600, 400)))
    page.get_by_label("Teeth").fill("11")
    page.get_by_role("button", name="Add to the record").tap()
    expect(row(page, "smile.png")).to_contain_text("In the record")
    row(page, "smile.png").get_by_role("link", name="Open smile.png").tap()
    page.get_by_role("button", name="Mark a tooth").tap()
    page.touchscreen.tap(*middle_of(page))
    expect(page.locator("#mark-11")).to_contain_text("11 at 50 % from the left, 50 % from the top")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert not axe.faults(page)
    assert page.eval_on_selector_all(TARGETS, SMALL) == []
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


def test_a_journey_by_keyboard_alone(page_of, live_server, documents, marked):
    number = filed(live_server, body=opg(), name="opg.png", said=Said(Category.RADIOGRAPH, Projection.PANORAMIC))
    filed(live_server, body=opg(300, 300), name="later.png", said=OPG)
    page = page_of("kamal")
    press = page.keyboard.press
    page.goto(documents)
    press("j")
    press("j")
    press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("opg.png")
    expect(page.locator(".viewer.is-live")).to_be_visible()
    for key in ("+", "+", "t", "n"):
        press(key)
    expect(page.locator(".viewer-scale")).to_have_text("169 %")
    expect(page.locator("[data-view-state]")).to_have_text("turned 90°, negative")
    press("0")
    page.get_by_label("Brightness").focus()
    press("ArrowRight")
    expect(page.locator("[data-view-state]")).to_have_text("brightness 101 %")
    press("m")
    tooth = page.get_by_label("Tooth", exact=True)
    expect(tooth).to_be_focused()  # the document says no tooth: it is chosen first
    page.keyboard.type("36")
    expect(tooth).to_have_value("36")
    press("Enter")
    frame = page.locator(".viewer-frame")
    expect(frame).to_be_focused()
    expect(frame).to_have_attribute("role", "application")
    for _ in range(3):
        press("ArrowRight")
    press("Shift+ArrowUp")
    expect(page.locator("[data-view-said]")).to_have_text("53 % from the left, 49.9 % from the top")
    assert not axe.faults(page)
    press("Enter")
    expect(page.locator("#mark-36")).to_contain_text("36 at 53 % from the left, 49.9 % from the top")
    expect(frame).to_be_focused()
    press("Escape")
    expect(page.get_by_role("button", name="Mark a tooth")).to_be_focused()
    press("u")  # takes it back
    expect(ring(page, 36)).to_have_count(0)
    assert marked(number) == [("36", 530, 499), ("36", None, None)]
    press("c")
    expect(page.get_by_role("heading", name="Choose two pictures")).to_be_visible()
    page.get_by_label("After").focus()
    press("ArrowDown")
    press("Tab")
    press("Enter")
    expect(page.locator(".compare img")).to_have_count(2)
    page.wait_for_load_state()
    press("o")
    slider = page.get_by_role("slider")
    slider.focus()
    press("ArrowLeft")
    expect(slider).to_have_value("49")
    press("Home")
    expect(slider).to_have_value("0")
    assert not axe.faults(page)


def test_a_journey_without_javascript(page_of, live_server, documents, marked):
    page = page_of("kamal", java_script_enabled=False)
    page.goto(documents)
    page.locator("#documents-add > summary").click()
    page.get_by_label("File", exact=True).set_input_files(file("opg.png", opg(1280, 640)))
    page.get_by_role("button", name="Add to the record").click()
    expect(page.get_by_text("The file is in the record")).to_be_visible()
    page.get_by_label("Tooth", exact=True).select_option("36")
    page.get_by_label("from the left, %").fill("75")
    page.get_by_label("from the top, %").fill("60")
    page.get_by_role("button", name="Mark it there").click()
    expect(page.get_by_text("36 at 75 % from the left, 60 % from the top")).to_be_visible()
    assert share(page, 36) == near(75, 60)
    page.get_by_label("Tooth", exact=True).select_option("37")
    pressed = page.get_by_role("button", name="The picture: press where the tooth is")
    assert (pressed.bounding_box()["width"], pressed.bounding_box()["height"]) == (640, 320)
    edges = pressed.evaluate("it => [getComputedStyle(it).padding, getComputedStyle(it).borderWidth]")
    assert edges == ["0px", "0px"]  # else a press would be counted from beside the picture
    pressed.click(position={"x": 320, "y": 80})
    expect(page.get_by_text("37 at 50 % from the left, 25 % from the top")).to_be_visible()
    page.get_by_role("button", name="Take away the mark of 36").click()
    expect(ring(page, 36)).to_have_count(0)
    page.get_by_label("What it is", exact=True).select_option("radiograph")
    page.get_by_label("Description").fill("First visit")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Radiograph")
    with live_server.inside():
        assert db.session.scalars(select(Document.description)).all() == ["First visit"]
    assert marked() == [("36", 750, 600), ("37", 500, 250), ("36", None, None)]


@pytest.mark.parametrize("size", ["desktop", "tablet", "phone"])
def test_nothing_keeps_a_person_out(page_of, live_server, documents, size):
    number = filed(live_server, body=opg(), name="opg.png", said=OPG)
    mark(live_server, number, t36=(750, 600), t18=(20, 300))
    page = page_of("kamal", "desktop" if size == "desktop" else "tablet")
    if size == "phone":
        page.set_viewport_size({"width": 390, "height": 844})
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.goto(f"{documents}/{number}?tooth=36")
        page.keyboard.press("m")
        expect(page.get_by_role("button", name="Mark it there")).to_be_visible()
        assert not axe.faults(page), scheme
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
        if size != "desktop":
            assert page.eval_on_selector_all(TARGETS, SMALL) == []
