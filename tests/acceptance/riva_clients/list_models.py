"""What the server offers, grouped as the stock programs group it."""

from __future__ import annotations

import common
from riva.client.proto import riva_asr_pb2


def main() -> None:
    args = common.parser(__doc__ or "").parse_args()
    response = common.service(args).stub.GetRivaSpeechRecognitionConfig(
        riva_asr_pb2.RivaSpeechRecognitionConfigRequest()
    )
    for model in response.model_config:
        parameters = dict(model.parameters)
        common.say(
            "model",
            name=model.model_name,
            type=parameters["type"],
            language_code=parameters["language_code"],
            parameters=parameters,
        )


if __name__ == "__main__":
    common.run(main)
