internal import TributaryCore

/// State that is filled while a topology is built and read when tasks are made, possibly on other threads.
@usableFromInline
final class BuildBox<Value>: Sendable {
    private let storage: Guarded<Unchecked>

    // The value is only ever touched under the lock.
    private struct Unchecked: @unchecked Sendable {
        var value: Value
    }

    @usableFromInline
    init(_ value: Value) {
        storage = Guarded(Unchecked(value: value))
    }

    func withValue<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        try storage.withLock { box in Transfer(value: try body(&box.value)) }.value
    }

    @usableFromInline
    func get() -> Value { withValue { $0 } }

    @usableFromInline
    func set(_ value: Value) { withValue { $0 = value } }

    private struct Transfer<Result>: @unchecked Sendable {
        let value: Result
    }
}
