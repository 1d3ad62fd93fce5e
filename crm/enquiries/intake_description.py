"""The interface for websites, described as OpenAPI 3.1. Its schemas come from the fields of the public form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crm.enquiries.intake_forms import enquiry_schema
from crm.rules.eligibility import Criterion
from crm.web.once import SHAPE

PROBLEMS = {
    400: "The body is not JSON, or the Idempotency-Key is missing",
    401: "No key, or one that is nobody’s",
    403: "The key was taken back",
    409: "This Idempotency-Key came before with another body, or nobody can take an enquiry yet",
    413: "More than 64 KiB",
    415: "Something else than JSON",
    422: "Some fields are not right: `errors` names each by a JSON pointer",
    429: "Too often: try again after the seconds in Retry-After",
    503: "Busy: try again after the seconds in Retry-After",
}
KEY_PROBLEMS = (401, 403, 429)


def described(criteria: Sequence[Criterion]) -> dict[str, Any]:
    """The whole description, with the questions that the service asks today."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Doorstep intake",
            "version": "1",
            "description": (
                "A website of the service hands in enquiries from its own form. They are treated as those of the "
                "service’s form are: the same questions, the same rules, one queue. Fields are added within version 1; "
                "none is taken away or means anything else. For programs, not for browsers: no other site may read the "
                "answers."
            ),
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": {
            "/api/v1/enquiries": {"post": _hand_in(criteria)},
            "/api/v1/wordings": {"get": _wordings()},
            "/api/v1/openapi.json": {
                "get": {
                    "operationId": "openapi",
                    "summary": "This description",
                    "security": [],
                    "responses": {"200": _answer("The description", {"type": "object"})},
                }
            },
        },
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": _PROBLEM},
        },
    }


def _hand_in(criteria: Sequence[Criterion]) -> dict[str, Any]:
    return {
        "operationId": "hand_in",
        "summary": "Hand in one enquiry",
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": True,
                "description": "New for each enquiry; the same when one is sent again, which then gets the same answer",
                "schema": {"type": "string", "pattern": f"^{SHAPE.pattern}$"},
            }
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": enquiry_schema(criteria)}}},
        "responses": {
            "201": _answer(
                "Taken in",
                {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["receipt", "contact_by"],
                    "properties": {
                        "receipt": {"type": "string", "description": "Names this enquiry when you ask us about it"},
                        "contact_by": {
                            "type": "string",
                            "format": "date",
                            "description": "Somebody gets in touch by the end of this day",
                        },
                    },
                },
            ),
            **_problems(*PROBLEMS),
        },
    }


def _wordings() -> dict[str, Any]:
    words = {
        "type": "object",
        "required": ["privacy_notice", "consents"],
        "properties": {"privacy_notice": {"type": "object"}, "consents": {"type": "array"}},
    }
    return {
        "operationId": "wordings",
        "summary": "The service’s own words in force today, to show beside your boxes",
        "responses": {"200": _answer("The words", words), **_problems(*KEY_PROBLEMS)},
    }


def _answer(words: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _problems(*statuses: int) -> dict[str, Any]:
    return {
        str(status): {
            "description": PROBLEMS[status],
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


_PROBLEM = {
    "type": "object",
    "description": "Problem details (RFC 9457)",
    "required": ["title", "status", "detail"],
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
