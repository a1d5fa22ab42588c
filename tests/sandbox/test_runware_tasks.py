from __future__ import annotations

import pytest

URL = "https://api.runware.ai/v1"
TASK = "17a2b204-94c7-4ae5-8c2d-369f6ed0eab6"
PRO = {
    "taskType": "imageInference",
    "taskUUID": TASK,
    "model": "bfl:2@1",
    "positivePrompt": "a fox",
    "width": 256,
    "height": 288,
    "seed": 7,
    "deliveryMethod": "async",
}
ULTRA = {**PRO, "model": "bfl:2@2", "width": 2752, "height": 1536}


def without(task, *names):
    return {name: value for name, value in task.items() if name not in names}


@pytest.mark.parametrize(
    ("task", "code", "parameter"),
    [
        (without(PRO, "taskUUID"), "missingTaskUUID", "taskUUID"),
        ({**PRO, "taskUUID": "7"}, "invalidTaskUUID", "taskUUID"),
        ({**PRO, "taskUUID": "17a2b204-94c7-1ae5-8c2d-369f6ed0eab6"}, "invalidTaskUUID", "taskUUID"),
        (without(PRO, "taskType"), "missingTaskType", "taskType"),
        ({**PRO, "taskType": "videoInference"}, "invalidTaskType", "taskType"),
        ({**PRO, "taskType": ["imageInference"]}, "invalidTaskType", "taskType"),
        ({**PRO, "taskType": {}}, "invalidTaskType", "taskType"),
        ({**PRO, "taskType": 7}, "invalidTaskType", "taskType"),
        ({**PRO, "routing": "fast"}, "invalidRouting", "routing"),
        ({**PRO, "advancedFeatures": []}, "invalidAdvancedFeatures", "advancedFeatures"),
        ({**PRO, "model": "bfl:1@1"}, "invalidModel", "model"),
        (without(PRO, "positivePrompt"), "missingPositivePrompt", "positivePrompt"),
        ({**PRO, "positivePrompt": "x"}, "invalidPositivePrompt", "positivePrompt"),
        ({**PRO, "positivePrompt": "x" * 3001}, "invalidPositivePrompt", "positivePrompt"),
        (without(PRO, "width"), "missingWidth", "width"),
        ({**PRO, "height": "288"}, "invalidHeight", "height"),
        ({**PRO, "width": 1472}, "invalidWidth", "width"),
        ({**PRO, "height": 224}, "invalidHeight", "height"),
        ({**PRO, "height": 300}, "invalidHeight", "height"),
        ({**ULTRA, "height": 1504}, "invalidDimensions", "width"),
        ({**ULTRA, "width": 1024, "height": 1024}, "invalidDimensions", "width"),
        ({**PRO, "seed": -1}, "invalidSeed", "seed"),
        ({**PRO, "seed": 2**63}, "invalidSeed", "seed"),
        ({**PRO, "numberResults": 0}, "invalidNumberResults", "numberResults"),
        ({**PRO, "numberResults": 21}, "invalidNumberResults", "numberResults"),
        ({**PRO, "outputType": ["URL"]}, "invalidOutputType", "outputType"),
        ({**PRO, "outputFormat": "jpg"}, "invalidOutputFormat", "outputFormat"),
        ({**PRO, "outputQuality": 19}, "invalidOutputQuality", "outputQuality"),
        ({**PRO, "outputQuality": 100}, "invalidOutputQuality", "outputQuality"),
        ({**PRO, "deliveryMethod": "later"}, "invalidDeliveryMethod", "deliveryMethod"),
        ({**PRO, "ttl": 59}, "invalidTtl", "ttl"),
        ({**PRO, "includeCost": 1}, "invalidIncludeCost", "includeCost"),
        ({**PRO, "webhookURL": "x"}, "invalidWebhookURL", "webhookURL"),
        ({**PRO, "safety": {"mode": "full"}}, "invalidMode", "safety.mode"),
        ({**PRO, "inputs": {}}, "unsupportedParameter", "inputs"),
        ({**PRO, "providerSettings": {"bfl": {"raw": True}}}, "unsupportedParameter", "providerSettings.bfl.raw"),
        (
            {**ULTRA, "providerSettings": {"bfl": {"safetyTolerance": 7}}},
            "invalidSafetyTolerance",
            "providerSettings.bfl.safetyTolerance",
        ),
        ({"taskType": "getResponse"}, "missingTaskUUID", "taskUUID"),
        ({"taskType": "getResponse", "taskUUID": TASK, "x": 1}, "unsupportedParameter", "x"),
        ({"taskType": "ping"}, "missingPing", "ping"),
        (
            {"taskType": "accountManagement", "taskUUID": TASK, "operation": "delete"},
            "invalidOperation",
            "operation",
        ),
    ],
)
def test_strictness(post, world, task, code, parameter):
    """Whatever is not documented is 400 with the parameter, and no task is made."""
    status, body = post(task)

    (error,) = body["errors"]
    assert (status, error["code"], error["parameter"]) == (400, code, parameter)
    assert error["message"]
    assert error["documentation"].startswith("https://")
    assert error.get("taskUUID") == task.get("taskUUID")
    assert world.jobs("runware") == []


def test_limits_are_told(post):
    """An error about a range tells the range."""
    _, body = post({**PRO, "numberResults": 21})

    assert (body["errors"][0]["min"], body["errors"][0]["max"]) == (1, 20)


@pytest.mark.parametrize("field", ["routing", "advancedFeatures"])
@pytest.mark.parametrize("task", [PRO, ULTRA])
def test_newer_fields(post, task, field):
    """Both models take the two objects that the newest schemas have, whatever is in them."""
    assert post({**task, field: {"a": [1]}})[0] == 200


@pytest.mark.parametrize("task", [ULTRA, {**ULTRA, "providerSettings": {"bfl": {"raw": True}}}])
def test_ultra(post, task):
    """Ultra takes its nine sizes, and raw."""
    assert post(task)[0] == 200


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"[]", b'"x"'])
def test_the_body_is_an_array(ask, told, body):
    """Anything but an array of tasks is refused."""
    answer = ask("POST", URL, body=body, headers={"content-type": "application/json"})

    assert (answer.status, told(answer)["errors"][0]["code"]) == (400, "invalidRequestBody")


def test_the_body_says_that_it_is_json(ask):
    """Without a content type the body is not read."""
    assert ask("POST", URL, body=b'[{"taskType":"ping","ping":true}]').status == 400


def test_a_task_is_an_object(post):
    """Anything else in the array is an error of its own."""
    assert post(7)[1]["errors"][0]["code"] == "invalidTask"
