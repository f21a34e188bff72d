"""Slices a project down to what a function needs: the top-level statements it refers to, directly or indirectly.

1. A name that code refers to is looked up in its module. A value that is data is taken as it is, however it was made;
   for a class or a function the statement that defines it is kept, for an import only the one name.
2. References of a kept statement come next: names of its own module, or names of a module of the project that it
   imports.
3. Nested functions are kept by themselves, with the values of the variables that they use.

What is neither code of the project nor data is refused at the place that uses it.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
import types

from pybuild.lang.python.functions import problems
from pybuild.lang.python.functions.encoding import Encoder, NotData, is_record
from pybuild.lang.python.functions.files import Definition, Import, Project, bound_by
from pybuild.lang.python.functions.kinds import described, is_definition, is_own, is_own_value, plain
from pybuild.lang.python.functions.names import EMPTY, at_path, contents, title, undecorated_of
from pybuild.lang.python.functions.parts import Closure, Module, Use
from pybuild.lang.python.functions.references import ImportStatement, Place, compiled, references, variables
from pybuild.lang.source import Span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SPECIAL = frozenset(
    ("__name__", "__file__", "__doc__", "__package__", "__spec__", "__loader__", "__builtins__", "__path__")
)
"""Names that each module has in the container anyway."""


class Slice:
    """The needed parts so far. References to them are plain JSON values: `{"global": [module, name]}`, `{"module":
    name}`, `{"closure": number}`, `{"data": encoded}`."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.modules: dict[int, Module] = {}
        self.packages: set[str] = set()
        self.closures: list[Closure] = []
        self.classes: dict[str, type] = {}
        self._numbers: dict[int, int] = {}
        self._pending: list[tuple[Module, ast.stmt]] = []

    # Requests

    def function(self, function: Any, original: types.FunctionType, span: Span | None) -> Any:
        """Add a function (`original` is the one beneath its decorators) and its needs; return a reference. Raises
        SourceError."""
        reference = self._function(function, original, span)
        self.finish()
        return reference

    def finish(self) -> None:
        """Add what the kept statements need."""
        while self._pending:
            module, statement = self._pending.pop(0)
            self._refer(module, compiled(statement, module.file.path), title(statement))

    def class_name(self, cls: type) -> str:
        """Return a class's name in the container, and keep the class if it is the project's. Raises SourceError,
        NotData."""
        namespace = None if is_own(cls.__module__) else self._home(cls)
        if namespace is None:
            raise NotData(cls, "", "its class isn't at the top level of a module that the container has")
        module = self._module(namespace)
        name = f"{cls.__module__ if module is None else module.name}:{cls.__qualname__}"
        self.classes[name] = cls
        if module is not None:
            root = cls.__qualname__.partition(".")[0]
            self._want(module, root, module.definition(root))
        return name

    def _home(self, cls: type) -> dict[str, Any] | None:
        """Return the namespace of the module that has the class under its name, None if there is none."""
        defining = sys.modules.get(cls.__module__)
        places = [defining.__dict__] if defining is not None else []
        places += [module.namespace for module in self.modules.values()]
        places += [one.__globals__ for one in vars(cls).values() if isinstance(one, types.FunctionType)]
        return next((one for one in places if at_path(one, cls.__qualname__) is cls), None)

    # Functions

    def _function(self, function: Any, original: types.FunctionType, span: Span | None) -> Any:
        """Add a function and return a reference to it."""
        qualname = str(getattr(function, "__qualname__", original.__qualname__))
        if "<locals>" not in qualname:
            return self._global(function, original, qualname, span)
        undecorated = undecorated_of(original)
        if undecorated is not None:
            return self._global(function, undecorated, undecorated.__qualname__, span)
        if function is not original:
            raise problems.other_object(span, original.__name__, original.__code__.co_filename)
        return self._inner(original, span)

    def _global(
        self, function: object, original: types.FunctionType, qualname: str, span: Span | None
    ) -> Any:
        """Add a function that is a global of a module; `original` is defined in that module."""
        namespace, filename = original.__globals__, original.__code__.co_filename
        path = self._project.path(filename)
        if at_path(namespace, qualname) is not function:
            raise problems.other_object(span, qualname, path or filename)
        module = self._module(namespace, filename)
        if module is None:
            name = str(namespace.get("__name__"))
            imported = sys.modules.get(name)
            if (
                path is not None
                or name == "__main__"
                or imported is None
                or imported.__dict__ is not namespace
            ):
                raise problems.no_source(span, qualname, filename)
            return {"global": [name, qualname]}
        root = qualname.partition(".")[0]
        self._want(module, root, module.definition(root))
        return {"global": [module.name, qualname]}

    def _inner(self, function: types.FunctionType, span: Span | None) -> Any:
        """Add a nested function."""
        number = self._numbers.get(id(function))
        if number is not None:
            return {"closure": number}
        code = function.__code__
        module = self._module(function.__globals__, code.co_filename)
        node = None if module is None else module.file.inner(function.__name__, code.co_firstlineno)
        if module is None or node is None:
            raise problems.no_source(span, function.__name__, code.co_filename)
        if node.decorator_list:
            raise problems.decorated_inside(module.file.heading(node), function.__name__)
        number = self._numbers[id(function)] = len(self.closures)
        closure = Closure(module, node, function.__qualname__)
        self.closures.append(closure)
        module.inner[node] = None
        # Its number is known by here, so functions may refer to themselves and to each other.
        self._fill(closure, function)
        self._refer(module, code, function.__name__)
        return {"closure": number}

    def _fill(self, closure: Closure, function: types.FunctionType) -> None:
        """Add the values of a nested function's variables and defaults."""
        file, name = closure.module.file, function.__name__
        used = {one.name: one.place for one in variables(function.__code__)}
        heading = file.heading(closure.node)
        start = Place(heading.line, closure.node.col_offset, heading.line, closure.node.col_offset)
        for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            use = Use(file, used.get(variable, start), name)
            closure.free.append((variable, self._variable(contents(cell), variable, use)))
        for at, value in enumerate(function.__defaults__ or ()):
            closure.defaults.append(self._variable(value, f"default {at + 1}", Use(file, start, name)))
        for variable, value in (function.__kwdefaults__ or {}).items():
            closure.kwdefaults.append((variable, self._variable(value, variable, Use(file, start, name))))

    def _variable(self, value: Any, name: str, use: Use) -> Any:
        """Return a reference to the value of a variable of an enclosing function."""
        if value is EMPTY:
            raise problems.refused(
                use.span,
                name,
                "which has no value yet",
                use.function,
                None,
                "call it when the variable is set",
            )
        if isinstance(value, types.ModuleType):
            if is_own(value.__name__):
                raise problems.own_module(use.span, name, use.function)
            module = self._module(value.__dict__)
            if module is not None:
                self._whole(module, use)
            return {"module": value.__name__}
        if isinstance(value, types.FunctionType) and value.__name__ != "<lambda>":
            return self._function(value, value, use.span)
        if isinstance(value, type) and not is_own_value(value) and self._home(value) is not None:
            return {"global": self.class_name(value).split(":")}
        return {"data": self._encoded(value, name, use, None)}

    # Names

    def _refer(self, module: Module, code: types.CodeType, function: str) -> None:
        """Add what code refers to."""
        for reference in references(code):
            use = Use(module.file, reference.place, function)
            if isinstance(reference, ImportStatement):
                self._import(module, reference, use)
            elif reference.name in module.namespace and reference.name not in _SPECIAL:
                value = module.namespace[reference.name]
                if isinstance(value, types.ModuleType):
                    self._want_module(module, reference.name, value, reference.attributes, use)
                else:
                    self._want(module, reference.name, use)

    def _want(self, module: Module, name: str, use: Use) -> None:
        """Keep what a module's name stands for."""
        if name in module.seen or name not in module.namespace:
            return
        module.seen.add(name)
        value = module.namespace[name]
        statement = module.statement(name, value)
        if isinstance(value, types.ModuleType):
            self._want_module(module, name, value, (), use)
        elif isinstance(statement, ast.ImportFrom):
            self._want_imported(module, name, value, statement, use)
        elif not self._take_data(module, name, value, statement):
            self._keep_made(module, name, value, statement, use)
            if isinstance(value, type) and is_record(value):
                self.classes[f"{module.name}:{value.__qualname__}"] = value

    def _take_data(self, module: Module, name: str, value: object, statement: ast.stmt | None) -> bool:
        """Take the value for the name, if it is data. Return whether it is."""
        try:
            data = Encoder(self.class_name, plain).encode(value)
        except NotData:
            return False
        module.constants[name] = (0 if statement is None else statement.lineno, data)
        return True

    def _keep_made(
        self, module: Module, name: str, value: object, statement: ast.stmt | None, use: Use
    ) -> None:
        """Keep the statement that made a value that is no data, if it may run again."""
        origin = None if statement is None else module.file.heading(statement)
        if is_own_value(value):
            help = "pass what it needs as an argument"
            raise problems.refused(use.span, name, described(value), use.function, origin, help)
        if isinstance(statement, Definition | ast.If | ast.Try):
            self._check_made(module, name, value, statement, use)
            self._keep(module, statement)
            return
        expression = getattr(statement, "value", None)
        if statement is not None and len(module.file.binding(name)) == 1 and is_definition(value, expression):
            self._keep(module, statement)
            return
        self._encoded(value, name, use, origin)

    def _check_made(self, module: Module, name: str, value: object, statement: ast.stmt, use: Use) -> None:
        """Check that a statement is the whole definition of a value: that a function without decorators comes from
        this text, and that a `singledispatch` function has no implementations elsewhere."""
        bare = isinstance(statement, Definition) and not statement.decorator_list
        if (
            bare
            and isinstance(value, types.FunctionType)
            and value.__code__.co_firstlineno != statement.lineno
        ):
            raise problems.other_object(use.span, name, module.file.path)
        if len(getattr(value, "registry", ())) > 1 and hasattr(value, "dispatch"):
            what, help = "a function with implementations for types", "write one function that tests the type"
            raise problems.refused(use.span, name, what, use.function, module.file.heading(statement), help)

    def _keep(self, module: Module, statement: ast.stmt) -> None:
        if statement not in module.kept:
            module.kept[statement] = None
            self._pending.append((module, statement))

    def _encoded(self, value: object, name: str, use: Use, origin: Span | None) -> Any:
        """Return the data of a value. Raises SourceError if it is no data."""
        try:
            return Encoder(self.class_name, plain).encode(value)
        except NotData as error:
            what = described(error.value)
            if not error.where and not error.reason:
                help = "make it inside of the function, or pass what it needs as an argument"
                raise problems.refused(use.span, name, what, use.function, origin, help) from None
            raise problems.holds(
                use.span, name, what, error.where, use.function, origin, error.reason
            ) from None

    # Imports

    def _want_module(
        self, module: Module, name: str, value: types.ModuleType, attributes: tuple[str, ...], use: Use
    ) -> None:
        """Keep the import of a module, and for a module of the project what is used of it."""
        if is_own(value.__name__):
            raise problems.own_module(use.span, ".".join((name, *attributes)), use.function)
        self._keep_imports(module, name, value, use)
        target = self._module(value.__dict__)
        for attribute in attributes:
            if target is None:
                return
            member = target.namespace.get(attribute)
            if not isinstance(member, types.ModuleType):
                self._want(target, attribute, use)
                return
            inner = self._module(member.__dict__)
            if target.file.binding(attribute):
                self._keep_imports(target, attribute, member, use)
            target = inner
        if target is not None:
            self._whole(target, use)

    def _keep_imports(self, module: Module, name: str, value: types.ModuleType, use: Use) -> None:
        """Keep the imports that bind a name to a module."""
        statements = module.file.binding(name)
        if not statements or not all(isinstance(one, Import | ast.If | ast.Try) for one in statements):
            what, help = "a module that no `import` has bound", "import it by its name"
            origin = module.file.heading(statements[-1]) if statements else None
            raise problems.refused(use.span, name, what, use.function, origin, help)
        for statement in statements:
            if not isinstance(statement, Import):
                self._keep(module, statement)
                continue
            for alias in statement.names:
                if bound_by(statement, alias) == name:
                    module.imports.setdefault(statement, {})[alias.name, alias.asname] = None
                    if isinstance(statement, ast.Import) and alias.name in sys.modules:
                        self._module(sys.modules[alias.name].__dict__)

    def _want_imported(
        self, module: Module, name: str, value: object, statement: ast.ImportFrom, use: Use
    ) -> None:
        """Keep one name of a `from … import`, and what it stands for in a module of the project."""
        origin = module.origin(statement)
        target = None if origin is None else self._module(origin.__dict__)
        own = origin is not None and is_own(origin.__name__)
        if (target is not None or own) and self._take_data(module, name, value, statement):
            return
        if own:
            raise problems.own_module(use.span, name, use.function)
        alias = next(
            (one for one in statement.names if bound_by(statement, one) == name), ast.alias(name, None)
        )
        module.imports.setdefault(statement, {})[alias.name, alias.asname] = None
        if target is not None:
            self._want(target, alias.name, use)

    def _import(self, module: Module, imported: ImportStatement, use: Use) -> None:
        """Add an import inside a function. A module of the project is imported here, to find out what it contains."""
        name = module.absolute(imported.module, imported.level)
        if is_own(name):
            raise problems.own_module(use.span, name, use.function)
        target = self._imported(name, use)
        if target is None:
            return
        if not imported.names:
            self._whole(target, use)
        for item in imported.names:
            member = target.namespace.get(item)
            if item in target.namespace and not isinstance(member, types.ModuleType):
                self._want(target, item, use)
                continue
            if target.file.binding(item) and isinstance(member, types.ModuleType):
                self._keep_imports(target, item, member, use)
            inner = self._imported(
                member.__name__ if isinstance(member, types.ModuleType) else f"{name}.{item}", use
            )
            if inner is not None:
                self._whole(inner, use)

    def _imported(self, name: str, use: Use) -> Module | None:
        """Return the module of the project with this name, importing it if necessary; None for any other module."""
        if name not in sys.modules:
            try:
                spec = importlib.util.find_spec(name)
            except (ImportError, ValueError, AttributeError):
                return None
            if spec is None or self._project.path(spec.origin or "") is None:
                return None
            try:
                importlib.import_module(name)
            except Exception as error:
                raise problems.not_importable(use.span, name, f"{type(error).__name__}: {error}") from None
        return self._module(sys.modules[name].__dict__)

    def _whole(self, module: Module, use: Use) -> None:
        """Keep a whole module, if what is used of it can't be told."""
        for name in module.file.names:
            self._want(module, name, use)

    # Modules

    def _module(self, namespace: dict[str, Any], filename: str = "") -> Module | None:
        """Return the module of the project with this namespace; None for any other."""
        known = self.modules.get(id(namespace))
        if known is not None:
            return known
        file = self._project.file(filename or str(namespace.get("__file__") or ""))
        if file is None:
            return None
        module = self.modules[id(namespace)] = Module(file, namespace)
        if module.importable:
            self._add_packages(module.name)
        return module

    def _add_packages(self, name: str) -> None:
        """Add the packages above a module, which must exist in the container, if only as empty ones."""
        above = name.rpartition(".")[0]
        if above and above in sys.modules:
            package = sys.modules[above]
            if self._module(package.__dict__) is None and getattr(package, "__file__", None) is None:
                self.packages.add(above)
                self._add_packages(above)
