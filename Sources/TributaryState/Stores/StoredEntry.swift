public import TributaryCore

/// Takes what a store writes, to be appended to its changelog.
public protocol ChangelogWriter: AnyObject {
    /// Appends one record; everything is copied before the call returns.
    ///
    /// - Parameter record: the key in the changelog's layout; nil as value for a delete; context and cell of the write; those of the user's
    ///   headers that are kept with the row.
    func append(_ record: borrowing OutgoingRecord) throws

    /// Has what is appended written with all that comes until the next commit, or not at all.
    func holdUntilCommit()
}

extension ChangelogWriter {
    /// Does nothing: for a changelog that isn't written.
    public func holdUntilCommit() {}
}
