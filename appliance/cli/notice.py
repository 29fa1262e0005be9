"""What must be said wherever demo weights show text."""

DEMO_NOTICE = (
    "演示模型：仅用合成语音训练，只为展示系统，不可用于真实通话。 "
    "Demo weights: trained on synthetic speech only, not for real calls."
)
