"""Recognize a whole file in one request."""

from __future__ import annotations

from pathlib import Path

import common


def main() -> None:
    parser = common.parser(__doc__ or "")
    common.add_recognition_flags(parser)
    args = parser.parse_args()
    response = common.service(args).offline_recognize(
        Path(args.file).read_bytes(), common.recognition_config(args)
    )
    for result in response.results:
        common.say(
            "result",
            channel=result.channel_tag,
            audio_processed=round(result.audio_processed, 3),
            **common.alternative(result.alternatives[0]),
        )


if __name__ == "__main__":
    common.run(main)
