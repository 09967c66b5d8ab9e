internal import TributaryCore
internal import TributaryDSL
internal import TributaryLMDB
internal import TributaryRuntime
internal import TributaryState

extension StreamsApplication {
    /// Stops processing until ``resume()``, at once or after the records at hand; returns at once.
    ///
    /// No record is processed and no punctuation runs; what was done before is committed, the state stays open and can be queried, tasks
    /// stay this application's. May be called before ``run()``, which then begins paused. Calling it again does nothing.
    public func pause() { setPaused(true) }

    /// Goes on with processing where ``pause()`` stopped it.
    ///
    /// Punctuations that became due meanwhile run once. Does nothing where nothing is paused.
    public func resume() { setPaused(false) }

    /// Deletes the application's state on this machine, while it doesn't run: the next ``run()`` restores it from the changelogs.
    ///
    /// For state in the log itself (offsets, changelogs, repartition topics) there is the command `tributary reset`. Does nothing where there
    /// is no state.
    ///
    /// - Throws: `StoreError.Code.inUse` while this application runs, or another process has its state, with which one; `invalidRequest` if
    ///   the folder holds something else, and then nothing is deleted; `SettingError` where no folder for state is known.
    public func cleanUp() throws {
        guard [.created, .notRunning, .error].contains(state) else {
            throw StoreError(
                .inUse,
                "the application '\(configuration.applicationID)' runs: its state is deleted only after it has stopped")
        }
        try StateDirectory.delete(try stateDirectory(configuration.log.stateDirectory()))
    }

    /// Where the state is.
    ///
    /// - Parameter parent: where the log keeps the states of applications, if it has such a place.
    func stateDirectory(_ parent: String?) throws -> String {
        if let directory = configuration.stateDirectory { return directory }
        guard let parent else {
            throw SettingError(
                setting: "stateDirectory", value: "nil", range: "a folder, since this log has no place for state")
        }
        return "\(parent)/\(configuration.applicationID)"
    }
}
