/// Lets the compiler look at a closure by itself, as ``Returning`` does: what operators put before closures that return nothing.
///
/// A loop of `while`, `do` with `catch`, and `defer` need a `return` in the closure, which is then left as it is written.
@resultBuilder
public enum Doing {
    /// An expression; what it gives is left out.
    @inlinable
    @inline(__always)
    public static func buildExpression<Result>(_ result: Result) {}

    /// All statements.
    @inlinable
    @inline(__always)
    public static func buildBlock(_ statements: Void...) {}

    /// An `if` without `else`.
    @inlinable
    @inline(__always)
    public static func buildOptional(_ statement: Void?) {}

    /// A branch of `if` or `switch`.
    @inlinable
    @inline(__always)
    public static func buildEither(first statement: Void) {}

    /// The other branch of `if` or `switch`.
    @inlinable
    @inline(__always)
    public static func buildEither(second statement: Void) {}

    /// A loop of `for`.
    @inlinable
    @inline(__always)
    public static func buildArray(_ statements: [Void]) {}
}
