"""Every route declares who may use it, and forgetting fails closed."""

from werkzeug.routing import IntegerConverter

from clinic import access, create_app
from clinic.access import Permission, Role
from tests.conftest import make_config
from tests.conventions.matrix import needs_of, routes
from tests.conventions.test_matrix import DOCUMENT


def test_every_route_declares_access(context):
    open_doors = [rule.endpoint for rule in context.url_map.iter_rules() if access.access_of(rule.endpoint) is None]
    assert not open_doors, (
        f"{open_doors} declare no access. Add @requires(Permission.X), or @public() for no sign-in at all."
    )


def test_an_undeclared_route_is_refused(tmp_path):
    app = create_app(make_config(f"sqlite:///{tmp_path}/undeclared.sqlite"))
    app.add_url_rule("/undeclared", "undeclared", lambda: "open")
    answer = app.test_client().get("/undeclared")
    assert answer.status_code == 403
    assert answer.text != "open"


def test_ids_in_addresses_are_typed(app):
    wrong = [
        rule.rule
        for rule in app.url_map.iter_rules()
        for name in rule.arguments
        if name.endswith("_id") and not isinstance(rule._converters[name], IntegerConverter)
    ]
    assert not wrong, f"{wrong}: write <int:..._id>, so that an id is a number before it reaches a query."


def test_no_role_holds_what_the_domain_denies_it():
    """domain.md, people: what a role may never do."""
    may = access.ROLE_PERMISSIONS
    never = {
        Role.STUDENT: {Permission.ANSWER_CALLS, Permission.ORDER_QUEUE, Permission.VIEW_BOARD, Permission.MANAGE_USERS},
        Role.ADMIN: {Permission.FIND_PATIENTS, Permission.MOVE_QUEUE, Permission.VIEW_BOARD},
        Role.RECEPTIONIST: {Permission.MANAGE_USERS, Permission.ANSWER_CALLS, Permission.CALL_SUPERVISOR},
        Role.NURSE: {Permission.MANAGE_USERS, Permission.ANSWER_CALLS},
        Role.SUPERVISOR: {Permission.MANAGE_USERS, Permission.CALL_SUPERVISOR},
    }
    for role, acts in never.items():
        assert not may[role] & acts, role


def test_every_permission_is_given():
    """That each opens something is in test_nothing_unused.py."""
    given = set().union(*access.ROLE_PERMISSIONS.values())
    assert given == set(Permission), f"{set(Permission) - given} is given to nobody."


def test_the_reviewed_document_names_what_each_route_needs(app):
    """The quick half of test_matrix.py: docs/permissions.md and the routes agree on what each route needs."""
    rows = [
        line.split(" | ")[:2]
        for line in DOCUMENT.read_text().split("## Routes")[1].splitlines()
        if line.startswith("| ")
    ]
    written = {route.removeprefix("| "): needs for route, needs in rows[1:]}
    declared = {f"{verb} {rule.rule}": needs_of(app, rule) for rule, verb in routes(app)}
    assert written == declared, "docs/permissions.md is out of date: read what changed, then run `make permissions`."
