internal import Synchronization
internal import TributaryJSON

/// Coders that one serde's users share: whoever comes takes one that is free, so that their scratch is used again and again.
///
/// Unchecked: a coder is touched only by the thread that has its flag.
final class JSONCoders: @unchecked Sendable {
    /// A decoder and an encoder.
    final class Coder {
        let decoder = FastJSONDecoder()
        let encoder: FastJSONEncoder

        init() {
            var options = FastJSONEncoder.Options()
            options.outputFormatting = [.sortedKeys]
            encoder = FastJSONEncoder(options: options)
        }
    }

    private let first = Coder()
    private let second = Coder()
    private let firstTaken = Atomic(false)
    private let secondTaken = Atomic(false)

    /// Calls `body` with a coder that nobody else uses: one of two that are kept, or a new one.
    func with<Result>(_ body: (Coder) throws -> Result) rethrows -> Result {
        if !firstTaken.exchange(true, ordering: .acquiring) {
            defer { firstTaken.store(false, ordering: .releasing) }
            return try body(first)
        }
        if !secondTaken.exchange(true, ordering: .acquiring) {
            defer { secondTaken.store(false, ordering: .releasing) }
            return try body(second)
        }
        return try body(Coder())
    }
}
