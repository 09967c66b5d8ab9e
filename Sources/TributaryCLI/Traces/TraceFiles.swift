internal import TributaryTelemetry

/// The spans of files and folders of files.
enum TraceFiles {
    /// Reads all; lines that can't be read (one that a killed process left half written) are told to `skipped`.
    static func graph(_ paths: [String], skipped: @escaping (TraceFileError) -> Void) throws -> TraceGraph {
        var spans: [FinishedSpan] = []
        for path in paths {
            let files =
                Files.isFolder(path)
                ? try Files.entries(path).map { "\(path)/\($0)" }.filter { !Files.isFolder($0) } : [path]
            for file in files { spans += try TraceFile.read(file, skipping: skipped) }
        }
        return TraceGraph(spans)
    }
}
