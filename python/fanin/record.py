# SPDX-License-Identifier: MIT
"""python -m fanin.record: the plan of a model that a library, or your own module, constructs.

python -m fanin.record transformers:GPT2LMHeadModel --config config.json -o gpt2.plan.json
python -m fanin.record torchvision:resnet50 -o resnet50.plan.json
python -m fanin.record timm:vit_base_patch16_224 --set num_classes=10 -o vit.plan.json
python -m fanin.record mypackage.models:build --set 'width=512' -o mine.plan.json
"""

import argparse
import importlib
import json
import os
import sys
import typing

Build = typing.Callable[[], typing.Any]


def _fail(message: str) -> typing.NoReturn:
    sys.stderr.write("fanin.record: %s\n" % message)
    sys.exit(1)


def _settings(pairs: typing.Sequence[str]) -> typing.Dict[str, typing.Any]:
    """KEY=VALUE, the value as JSON, or as text where it is none."""
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            _fail("--set takes KEY=VALUE, not %r" % pair)
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found


def _import(name: str) -> typing.Any:
    try:
        return importlib.import_module(name)
    except ImportError as e:
        _fail("%s cannot be imported (%s)" % (name, e))


def _config(
    transformers: typing.Any, kind: typing.Any, text: str, settings: typing.Dict[str, typing.Any]
) -> typing.Any:
    """A configuration from a config.json (or its folder), or the default one of a model type; kind: the model's class."""
    if os.path.exists(text):
        path = os.path.join(text, "config.json") if os.path.isdir(text) else text
        try:
            with open(path, encoding="utf-8") as file:
                fields = json.load(file)
        except ValueError as e:
            _fail("%s is not JSON: %s" % (path, e))
        if not isinstance(fields, dict):
            _fail("%s holds no JSON object" % path)
        model_type = fields.pop("model_type", None)
        fields.update(settings)
        if model_type is not None:
            return transformers.AutoConfig.for_model(model_type, **fields)
        config_class = getattr(kind, "config_class", None)
        if config_class is None:
            _fail('%s has no "model_type"; add it, or name a class that has one configuration' % path)
        return config_class(**fields)
    try:
        return transformers.AutoConfig.for_model(text, **settings)
    except ValueError as e:
        # transformers goes on with all the types there are
        _fail("--config is neither a file nor a model type: %s" % str(e).partition(". ")[0])


def _of_transformers(name: str, options: argparse.Namespace, settings: typing.Dict[str, typing.Any]) -> Build:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    torch, transformers = _import("torch"), _import("transformers")
    if options.config is None:
        _fail("transformers:%s needs --config: a config.json, its folder, or a model type such as gpt2" % name)
    kind = getattr(transformers, name, None)
    if kind is None:
        _fail("transformers has no %s" % name)
    config = _config(transformers, kind, options.config, settings)
    dtype = getattr(torch, options.dtype)
    make = kind.from_config if hasattr(kind, "from_config") else kind._from_config
    return lambda: make(config, dtype=dtype)


def _build_of(options: argparse.Namespace) -> Build:
    """The callable that a source names: LIBRARY:NAME."""
    library, colon, name = options.source.partition(":")
    if not colon or not name:
        _fail("the model is named LIBRARY:NAME, as transformers:GPT2LMHeadModel or mypackage.models:build is")
    settings = _settings(options.set)
    torch = _import("torch")
    if library == "transformers":
        return _of_transformers(name, options, settings)
    if options.config is not None:
        _fail("--config belongs to transformers; give arguments with --set KEY=VALUE")
    if library == "torchvision":
        models = _import("torchvision.models")
        if "weights" not in settings:
            settings["weights"] = None
        make = lambda: models.get_model(name, **settings)  # noqa: E731
    elif library == "timm":
        timm = _import("timm")
        make = lambda: timm.create_model(name, pretrained=False, **settings)  # noqa: E731
    else:
        sys.path.insert(0, "")
        function: typing.Any = _import(library)
        for part in name.split("."):
            if not hasattr(function, part):
                _fail("%s has no %s" % (library, name))
            function = getattr(function, part)
        make = lambda: function(**settings)  # noqa: E731
    dtype = getattr(torch, options.dtype)

    def build() -> typing.Any:
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            return make()
        finally:
            torch.set_default_dtype(before)

    return build


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fanin.record", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "source", metavar="LIBRARY:NAME", help="transformers:CLASS, torchvision:NAME, timm:NAME or MODULE:CALLABLE"
    )
    parser.add_argument(
        "--config", help="of a transformers model: config.json, its folder, or a model type for its defaults"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="an argument of the callable, or a field of the configuration; the value as JSON",
    )
    parser.add_argument(
        "--dtype",
        default="float32",
        choices=("float32", "bfloat16", "float16", "float64"),
        help="what the model is built in (default: float32)",
    )
    parser.add_argument("-o", "--output", required=True, metavar="PLAN", help="the plan file to write")
    parser.add_argument(
        "--no-check",
        action="store_true",
        help="do not build the model once to compare it with the plan (above 1 GB: do not record twice)",
    )
    parser.add_argument(
        "--digests",
        action="store_true",
        help="store the SHA-256 of every tensor at seed 0 for models above 1 GB too; this makes them",
    )
    return parser


def main(arguments: typing.Optional[typing.Sequence[str]] = None) -> int:
    options = _parser().parse_args(arguments)
    build = _build_of(options)
    from fanin.torch import Refused, record
    from fanin.torch._materialize import makers_of

    name = options.source.replace(":", ".", 1)
    try:
        plan = record(
            build,
            name=name,
            check=not options.no_check,
            digests=options.digests,
            notes={"dtype": options.dtype} if options.dtype != "float32" else None,
        )
    except Refused as e:
        _fail("%s cannot be recorded: %s" % (options.source, e))
    try:
        plan.save(options.output)
    except OSError as e:
        _fail("%s: %s" % (options.output, e))
    makers = makers_of(plan)
    print("%s: %d tensors, %d draws of %s" % (options.output, len(plan), plan.ndraws, plan.profile))
    if makers.host:
        print("%d of them have bits that only the torch at hand makes" % len(makers.host))
    for refusal in makers.refused.items():
        print("refused %s: %s" % refusal)
    return 0


if __name__ == "__main__":
    sys.exit(main())
