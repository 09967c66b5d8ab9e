public import TributaryLineage

/// Runs closures of the user's on behalf of a node: what they throw goes to the application's handler.
@usableFromInline
struct UserCode {
    @usableFromInline let node: String
    @usableFromInline let services: any TaskServices

    @inlinable
    init(_ node: String, _ services: any TaskServices) {
        self.node = node
        self.services = services
    }

    /// What `body` returns; nil if it threw and the handler lets the record pass.
    @inlinable
    @inline(__always)
    func run<Result>(_ meta: borrowing RecordMeta, _ body: () throws -> Result) throws -> Result? {
        do { return try body() } catch {
            try services.processingFailed(node: node, error, meta)
            return nil
        }
    }

    /// Something threw on the node's behalf: returns if the handler lets the record pass.
    @inlinable
    func failed(_ error: any Error, _ meta: borrowing RecordMeta) throws {
        try services.processingFailed(node: node, error, meta)
    }

    /// Counts a record that the node leaves out.
    @inlinable
    func dropped(_ reason: DropReason, _ meta: borrowing RecordMeta) {
        services.dropped(reason, node: node, meta)
    }
}
