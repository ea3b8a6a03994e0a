"""Chat templates that somebody writes in the place of a model's own: two to begin with, and what is wrong with one, as a code.

A template is a stranger's program: `check` runs in the audit's child process, which has limits of time and memory.
"""

from jinja2 import TemplateSyntaxError
from transformers import PreTrainedTokenizerBase

from tuning.errors import EngineError
from tuning.tokens import labels
from tuning.tokens.template import ANSWERED, ASKED, REFUSALS, Template
from tuning.tokens.variants import in_short

CHATML = """\
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.role == 'assistant' %}
{%- generation %}
{{- message.content + '<|im_end|>' }}
{%- endgeneration %}
{{- '\\n' }}
{%- else %}
{{- message.content + '<|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- endif %}"""
STARTS = {"plain": labels.PLAIN_TEMPLATE, "chatml": CHATML}


def check(tokenizer: PreTrainedTokenizerBase) -> None:
    """Raises EngineError `template.…` where the tokenizer's template cannot be learned by: the fault, its line where it has one."""
    template, turns = Template(tokenizer), [ASKED, ANSWERED]
    try:
        text = template.show(turns)
    except EngineError as error:
        raise EngineError("template.heavy", reason="data") from error
    except TemplateSyntaxError as error:
        raise EngineError("template.syntax", reason="data", line=error.lineno, said=in_short(error.message)) from error
    except REFUSALS as error:
        raise EngineError("template.refuses", reason="data", said=in_short(str(error) or type(error).__name__)) from error
    for turn in turns:
        if turn["content"] not in text:
            raise EngineError(f"template.no_{turn['role']}", reason="data")
    try:
        row = template.render({"row": 0, "messages": turns})
    except EngineError as error:
        raise EngineError("template.apart", reason="data") from error
    if labels.Labeller(tokenizer).label([row])[0].stop < 0:
        raise EngineError("template.no_end", reason="data", eos=str(tokenizer.eos_token))
