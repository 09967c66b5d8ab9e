/// Lets the compiler look at a closure by itself: what operators put before closures that return something.
///
/// A chain of operators is one expression to the compiler, and the bodies of closures that are one expression belong to it: what
/// `+` and literals may mean in one is multiplied by what they may mean in all others, so that six `mapValues { $0 + 1 }` are too
/// much for it. Behind a result builder each closure is solved by itself, once the types of its parameters are known. A closure with
/// `return` is left as it is written. Nothing of it is left at run time.
@resultBuilder
public enum Returning<Value> {
    /// The expression, which is what the closure returns.
    @inlinable
    @inline(__always)
    public static func buildExpression(_ value: Value) -> Value { value }

    /// The only expression of a closure.
    @inlinable
    @inline(__always)
    public static func buildBlock(_ value: Value) -> Value { value }

    /// A branch of `if` or `switch`.
    @inlinable
    @inline(__always)
    public static func buildEither(first value: Value) -> Value { value }

    /// The other branch of `if` or `switch`.
    @inlinable
    @inline(__always)
    public static func buildEither(second value: Value) -> Value { value }
}
